import type { FastifyInstance } from "fastify";
import { imagePixels, imageSide } from "millrace/model";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { gallery, postRun, runSchema, startBackend, startServer, type Backend } from "./service-fixture.ts";

let backend: Backend;
let server: FastifyInstance;

beforeAll(async () => {
  backend = await startBackend();
  server = await startServer({ sessions: { memory: backend.broker }, gallery });
});
afterAll(async () => {
  await server.close();
  await backend.close();
});

const uploadSchema = runSchema.extend({ picture: z.literal(true), pixels: z.base64() });

async function upload(
  file: Buffer,
  type: "image/png" | "image/jpeg" = "image/png",
): Promise<z.infer<typeof uploadSchema>> {
  const answer = await server.inject({
    method: "POST",
    url: "/images?wait=20s",
    headers: { "content-type": type },
    body: file,
  });
  expect(answer.statusCode, answer.body).toBe(200);
  return uploadSchema.parse(answer.json());
}

const grey = { width: imageSide, height: imageSide, channels: 1 } as const;
const pixelsOf = (index: number): Buffer =>
  Buffer.from(gallery.images.subarray(index * imagePixels, (index + 1) * imagePixels));
const picture = (index: number): ReturnType<typeof sharp> => sharp(pixelsOf(index), { raw: grey });
/** Dark on light, as photographs of goods are. */
const onLight = (index: number): ReturnType<typeof sharp> =>
  sharp(
    pixelsOf(index).map((value) => 255 - value),
    { raw: grey },
  );

/** Of each class the first. */
const examples = gallery.names.map((name, label) => [name, gallery.labels.indexOf(label)] as const);

async function byIndex(index: number): Promise<{ readonly label: string; readonly score: number }> {
  const { predictions, scores } = await postRun(server, { start_idx: index, end_idx: index + 1 });
  return { label: predictions[0] ?? "", score: scores[0] ?? 0 };
}

describe("POST /images", () => {
  test.each(examples)(
    "%s: a picture made from the set gets the answer of its index, on dark and on light",
    async (_, index) => {
      const { label, score } = await byIndex(index);
      for (const file of [picture(index), onLight(index)]) {
        const run = await upload(await file.png().toBuffer());
        expect(run).toMatchObject({ status: "done", predictions: [label], start_idx: 0, end_idx: 1 });
        expect(run.scores[0]).toBeCloseTo(score, 3);
        expect(Buffer.from(run.pixels, "base64").equals(pixelsOf(index))).toBe(true);
      }
    },
  );

  test.each<[string, "image/png" | "image/jpeg", (index: number) => Promise<Buffer>]>([
    ["JPEG", "image/jpeg", (index) => picture(index).jpeg({ quality: 95 }).toBuffer()],
    ["JPEG on light", "image/jpeg", (index) => onLight(index).jpeg({ quality: 95 }).toBuffer()],
    ["in colour", "image/png", (index) => picture(index).toColourspace("srgb").png().toBuffer()],
    ["16 bits", "image/png", (index) => picture(index).toColourspace("grey16").png().toBuffer()],
    ["a palette", "image/png", (index) => picture(index).png({ palette: true }).toBuffer()],
    ["interlaced", "image/png", (index) => picture(index).png({ progressive: true }).toBuffer()],
    ["large", "image/png", (index) => picture(index).resize(560, 560, { kernel: "nearest" }).png().toBuffer()],
    [
      "wide",
      "image/png",
      (index) =>
        onLight(index).extend({ left: 14, right: 14, background: "white" }).resize(1_120, 560).png().toBuffer(),
    ],
    [
      "see-through",
      "image/png",
      async (index) => {
        const shape = await onLight(index).png().toBuffer();
        // What is background in the set is transparent here.
        return sharp(shape)
          .joinChannel(Buffer.from(pixelsOf(index).map((value) => (value === 0 ? 0 : 255))), { raw: grey })
          .png()
          .toBuffer();
      },
    ],
    [
      "turned, with an EXIF orientation that turns it back",
      "image/jpeg",
      async (index) => {
        const turned = await picture(index).rotate(270).toColourspace("b-w").raw().toBuffer();
        return sharp(turned, { raw: grey }).jpeg({ quality: 95 }).withMetadata({ orientation: 6 }).toBuffer();
      },
    ],
  ])("%s: most get the answer of their index", async (name, type, make) => {
    const answers = await Promise.all(
      examples.map(async ([, index]) => {
        const [run, { label }] = [await upload(await make(index), type), await byIndex(index)];
        expect(Buffer.from(run.pixels, "base64")).toHaveLength(imagePixels);
        return run.predictions[0] === label;
      }),
    );
    // A wide one is half as large as the set's; the others differ by rounding.
    expect(answers.filter(Boolean).length).toBeGreaterThanOrEqual(name === "wide" ? 3 : 9);
  });

  test.each([
    [1, 1],
    [3_000, 1],
    [1, 3_000],
    [5_000, 5_000],
  ])("takes a picture of %i × %i pixels", async (width, height) => {
    const file = await sharp({ create: { width, height, channels: 3, background: "white" } })
      .png()
      .toBuffer();
    const { pixels } = await upload(file);
    expect(Buffer.from(pixels, "base64").every((value) => value === 0)).toBe(true);
  });

  test("without wait answers 202 and where to look", async () => {
    const answer = await server.inject({
      method: "POST",
      url: "/images?broker=memory",
      headers: { "content-type": "image/png" },
      body: await picture(0).png().toBuffer(),
    });
    expect(answer.statusCode).toBe(202);
    const run = uploadSchema.parse((await server.inject(`${answer.headers.location}?wait=20s`)).json());
    expect(run).toMatchObject({ status: "done", done: 1, broker: "memory" });
  });
});

describe("GET /images", () => {
  test("gives class and grey values of each", async () => {
    const { rawPayload, headers } = await server.inject("/images?start_idx=7&end_idx=9");
    expect(headers["content-type"]).toBe("application/octet-stream");
    const one = (index: number): Buffer => Buffer.concat([Buffer.of(gallery.labels[index] ?? 255), pixelsOf(index)]);
    expect(rawPayload.equals(Buffer.concat([one(7), one(8)]))).toBe(true);
  });
});
