import { serve } from "../pool/serve.ts";
import { loadOnnx } from "./executor.ts";

await serve(loadOnnx);
