import { Readable } from "node:stream";
import { z } from "zod";
import type { EventLog, LoggedEvent } from "../event-log.ts";
import type { Desk } from "../desk.ts";
import type { LiveStats } from "../stats.ts";
import { letterOf, summaryOf } from "../views.ts";
import type { Routes } from "./routes.ts";

/** Most bytes that wait for a client that reads too slowly; it is cut off then, and comes back with the number of its last event. */
const maxWaiting = 4 * 1_024 * 1_024;

/** Milliseconds after which a browser comes back. */
const retryMs = 1_000;

/** Server-sent events: `run`, `slice`, `dead-letter`, numbered; `stats` every second; `reset` with the present state at first, and when events were missed. */
export function eventRoutes(desk: Desk, log: EventLog, stats: LiveStats): Routes {
  return (app) => {
    app.get(
      "/events",
      {
        exposeHeadRoute: false, // it would not end
        schema: {
          tags: ["runs"],
          summary: "What happens to runs, as server-sent events; resumable by Last-Event-ID",
          produces: ["text/event-stream"],
          headers: z.object({ "last-event-id": z.string().optional() }),
        },
      },
      (request, reply) => {
        const stream = new Readable({ read: () => {} });
        const send = (text: string): void => {
          stream.push(text);
          if (stream.readableLength > maxWaiting) stream.destroy();
        };
        send(`retry: ${retryMs}\n\n`);
        const since = request.headers["last-event-id"];
        const missed = since === undefined ? undefined : log.after(since);
        if (missed === undefined) send(format({ id: log.last, name: "reset", data: JSON.stringify(present(desk)) }));
        else for (const event of missed) send(format(event));
        const reading = log.live.subscribe({ next: (event) => send(format(event)), complete: () => stream.push(null) });
        reading.add(stats.everySecond.subscribe((now) => send(`event: stats\ndata: ${JSON.stringify(now)}\n\n`)));
        stream.on("close", () => reading.unsubscribe());
        reply.raw.on("close", () => stream.destroy());
        return reply
          .type("text/event-stream")
          .header("cache-control", "no-store")
          .header("x-accel-buffering", "no")
          .send(stream);
      },
    );
  };
}

function present({ runs }: Desk): object {
  return { runs: runs.list().slice(0, 50).map(summaryOf), dead_letters: runs.deadLetters.map(letterOf) };
}

function format({ id, name, data }: LoggedEvent): string {
  return `id: ${id}\nevent: ${name}\ndata: ${data}\n\n`;
}
