// Imports each module named on the command line and prints how many names it exports.
for (const entry of process.argv.slice(2)) {
  const exported = entry.endsWith(".json")
    ? (await import(entry, { with: { type: "json" } })).default
    : await import(entry);
  console.log(`${entry}: ${Object.keys(exported).length}`);
}
