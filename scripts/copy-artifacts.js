// dist/ mirrors the repository; the compiler copies code only, so the model's files follow it here.
import { cpSync, existsSync } from "node:fs";

if (existsSync("model/artifacts")) cpSync("model/artifacts", "dist/model/artifacts", { recursive: true });
