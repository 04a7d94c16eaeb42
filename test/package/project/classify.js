// Classifies ten drawn garments with the engine named on the command line and prints, as JSON, which engine it was, how many
// it named right, and what was logged.
import { drawGarments, imageClassifier } from "millrace/model";

const [engine] = process.argv.slice(2);
const logged = [];
const log = (_fields, message) => logged.push(message);
const { images, labels } = drawGarments({ count: 10 });
const logger = { trace: log, debug: log, info: log, warn: log, error: log };
const model = await imageClassifier({ images, engine, logger })();
const [{ classes }] = await model.predict([{ start: 0, end: 10 }]);
await model.close();
const right = classes.filter((label, index) => label === labels[index]).length;
console.log(JSON.stringify({ engine: model.info.engine, right, logged }));
