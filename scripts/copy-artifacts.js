// dist/ mirrors the repository; the compiler copies code only, so the model's files and the page follow it here.
import { cpSync, existsSync } from "node:fs";

if (existsSync("model/artifacts")) cpSync("model/artifacts", "dist/model/artifacts", { recursive: true });
cpSync("src/service/page", "dist/src/service/page", { recursive: true });
