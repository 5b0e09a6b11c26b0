// Inlines with juice: reads lines of JSON {html, seconds}, answers each with one: how long it took in
// milliseconds, or why not. The package lies in the directory given as the first argument.
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(join(process.argv[2], "package.json"));
const { default: juice } = await import(pathToFileURL(require.resolve("juice")));

for await (const line of createInterface({ input: process.stdin })) {
  const { html, seconds, runs } = JSON.parse(line);
  let answer;
  try {
    const figures = [];
    const end = performance.now() + seconds * 1000;
    do {
      // What other threads of the engine do, compiling and collecting, is not held against it.
      const [cpu, began] = [process.cpuUsage(), performance.now()];
      juice(html);
      const elapsed = performance.now() - began;
      const used = process.cpuUsage(cpu);
      figures.push(Math.min(elapsed, (used.user + used.system) / 1000));
    } while (figures.length < runs || performance.now() < end);
    answer = { figures };
  } catch (error) {
    answer = { failed: String(error) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
