/* Runs the scripts of a page in Node: node page_node.js FOLDER, where FOLDER has scripts/ and jobs.json, and gets found.json.
   A job: {model, samples: file of int16, chunks: sizes in turn}; what is found of it: logits of each answer, and events. */
"use strict";
const fs = require("fs");
const path = require("path");
const vm = require("vm");

const [folder] = process.argv.slice(2);
for (const name of ["earshot.js", "earshot.wasm.js", "clips.js"]) {
    vm.runInThisContext(fs.readFileSync(path.join(folder, "scripts", name), "utf8"), { filename: name });
}

function heard(runtime, samples, chunks) {
    const found = { logits: [], units: [], events: [], samples: [] };
    const begin = process.hrtime.bigint();
    for (let place = 0, turn = 0; place < samples.length; turn++) {
        const size = chunks[turn % chunks.length];
        for (const answer of runtime.push(samples.subarray(place, place + size))) {
            found.logits.push(Array.from(answer.logits));
            found.units.push(Array.from(answer.units));
            found.samples.push(answer.sample);
            if (answer.event) {
                found.events.push([answer.event.number, answer.event.units, answer.event.look, answer.event.seconds]);
            }
        }
        place += size;
    }
    found.seconds = Number(process.hrtime.bigint() - begin) / 1e9;
    return found;
}

async function main() {
    const found = [];
    for (const job of JSON.parse(fs.readFileSync(path.join(folder, "jobs.json"), "utf8"))) {
        const bytes = fs.readFileSync(path.join(folder, job.samples));
        const samples = new Int16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
        found.push(heard(await Earshot.load(job.model), samples, job.chunks));
    }
    fs.writeFileSync(path.join(folder, "found.json"), JSON.stringify(found));
}

main();
