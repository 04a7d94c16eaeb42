import { serve } from "../pool/serve.ts";
import { loadLayers } from "./executor.ts";

await serve(loadLayers);
