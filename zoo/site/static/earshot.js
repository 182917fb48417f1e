/* Models of Earshot in a page: the integers of their packages, by WebAssembly. A classic script, which works from disk.

   Earshot.load(name) gives a promise of a Runtime. Scripts of models fill Earshot.models, and earshot.wasm.js fills
   Earshot.wasm. */
"use strict";

var Earshot = (function () {
    const ONE = 32768;
    const PAGE = 65536;
    let compiled = null;

    /* The bytes of a base64 text. */
    function bytesOf(text) {
        const packed = atob(text);
        const bytes = new Uint8Array(packed.length);
        for (let i = 0; i < packed.length; i++) {
            bytes[i] = packed.charCodeAt(i);
        }
        return bytes;
    }

    /* The machine, compiled once for all models. */
    function machine() {
        compiled = compiled || WebAssembly.compile(bytesOf(Earshot.wasm));
        return compiled;
    }

    /* A model that hears: push samples of a stream, or ask for the answer to a clip. */
    class Runtime {
        constructor(instance, model) {
            this._own = instance.exports;
            this.name = model.name;
            this.labels = model.labels;
            this.kind = model.kind;
            this.rate = model.rate;
            this.clipSamples = model.clip_samples;
            this.hopMs = model.hop_ms;
            this._place(bytesOf(model.plan));
            this.reset();
        }

        _place(plan) {
            const place = this._own.place();
            const [size, work] = new Int32Array(plan.buffer, 0, 2);
            const missing = place + size + work - this._own.memory.buffer.byteLength;
            if (missing > 0) {
                this._own.memory.grow(Math.ceil(missing / PAGE));
            }
            new Uint8Array(this._own.memory.buffer).set(plan, place);
            this._own.load();
        }

        /* Begin a stream, or a clip. */
        reset() {
            this.heard = 0;
            this._own.begin();
        }

        /* Samples that follow, Int16Array in any chunks; gives the answers to them: the sample and the second behind
           them, logits (Int16Array), scores (0 to 1, of each label), and the event that was found, or null. */
        push(samples) {
            const answers = [];
            const most = this._own.most();
            for (let first = 0; first < samples.length; first += most) {
                this._hear(samples.subarray(first, first + most), answers);
            }
            return answers;
        }

        _hear(chunk, answers) {
            new Int16Array(this._own.memory.buffer, this._own.samples(), chunk.length).set(chunk);
            for (let used = 0; used < chunk.length;) {
                const count = this._own.hear(used, chunk.length - used);
                used += count;
                this.heard += count;
                const [answered, label, score, look] = new Int32Array(this._own.memory.buffer, this._own.found(), 4);
                if (answered) {
                    answers.push(this._answer(label, score, look));
                }
            }
        }

        _answer(label, score, look) {
            const buffer = this._own.memory.buffer;
            const classes = this.labels.length;
            const units = new Uint16Array(buffer, this._own.scores(), classes).slice();
            return {
                sample: this.heard,
                seconds: this.heard / this.rate,
                logits: new Int16Array(buffer, this._own.logits(), classes).slice(),
                units: units,
                scores: Array.from(units, (one) => one / ONE),
                event: label < 0 ? null : this._event(label, score, look),
            };
        }

        _event(label, units, look) {
            const seconds = ((1000 * this.clipSamples) / this.rate + look * this.hopMs) / 1000;
            const name = this.labels[label];
            return { label: name, number: label, look: look, units: units, score: units / ONE, seconds: seconds };
        }

        /* The answer to one clip, from reset, behind which there is silence where it is shorter; also `ranked`, labels
           with scores, best first. */
        answer(samples) {
            if (samples.length > this.clipSamples) {
                throw new RangeError(samples.length + " samples are more than a clip of " + this.clipSamples);
            }
            const clip = new Int16Array(this.clipSamples);
            clip.set(samples);
            this.reset();
            const found = this.push(clip).pop();
            found.ranked = this.ranked(found.scores);
            return found;
        }

        /* Labels with scores, best first. */
        ranked(scores) {
            const all = this.labels.map((label, number) => ({ label: label, score: scores[number] }));
            return all.sort((one, other) => other.score - one.score);
        }
    }

    /* A runtime of a model: its name in Earshot.models, or what is there. */
    async function load(model) {
        const known = typeof model === "string" ? Earshot.models[model] : model;
        if (!known) {
            throw new Error("no plan of " + model + " is in this page");
        }
        return new Runtime(await WebAssembly.instantiate(await machine(), {}), known);
    }

    /* The samples of a WAV file with one channel of 16 bits, as they are, with their rate; null for any other file. */
    function wavOf(buffer) {
        const view = new DataView(buffer);
        const tag = (place) => String.fromCharCode(...new Uint8Array(buffer, place, 4));
        let rate = 0;
        if (buffer.byteLength < 12 || tag(0) !== "RIFF" || tag(8) !== "WAVE") {
            return null;
        }
        for (let place = 12; place + 8 <= buffer.byteLength;) {
            const size = view.getUint32(place + 4, true);
            const start = place + 8;
            if (tag(place) === "fmt " && start + 16 <= buffer.byteLength) {
                const plain = view.getUint16(start, true) === 1 && view.getUint16(start + 2, true) === 1;
                if (!plain || view.getUint16(start + 14, true) !== 16) {
                    return null;
                }
                rate = view.getUint32(start + 4, true);
            }
            if (tag(place) === "data" && rate > 0) {
                const length = Math.floor(Math.min(size, buffer.byteLength - start) / 2);
                const samples = Int16Array.from({ length: length }, (_, i) => view.getInt16(start + 2 * i, true));
                return { rate: rate, samples: samples };
            }
            place = start + size + (size % 2);
        }
        return null;
    }

    /* Samples from -1 to 1 as 16 bits, as Earshot rounds them. */
    function asInt16(samples) {
        return Int16Array.from(samples, (one) => Math.max(-ONE, Math.min(ONE - 1, roundEven(one * ONE))));
    }

    function roundEven(value) {
        const rounded = Math.round(value);
        return rounded - value === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
    }

    return { models: {}, clips: [], wasm: "", load: load, bytesOf: bytesOf, wavOf: wavOf, asInt16: asInt16 };
})();
