/* The panel in which a model of the page hears a recording, a bundled clip or the microphone. Behind earshot.js. */
"use strict";

var EarshotTry = (function () {
    const COLUMNS = 600;
    const BANDS = 80;
    const POINTS = 512;
    const FLOOR_DB = -90;
    const PART_SECONDS = 0.25;
    const SHOWN_EVENTS = 100;
    const KEPT_ANSWERS = 6000;
    const MICROPHONE_PART = 2048;
    const WORKLET = new URL("hear.js", document.currentScript.src);

    function made(name, className, text) {
        const element = document.createElement(name);
        element.className = className;
        if (text !== undefined) {
            element.textContent = text;
        }
        return element;
    }

    function pause() {
        return new Promise((done) => setTimeout(done, 0));
    }

    function percent(score) {
        return (100 * score).toFixed(0) + " %";
    }

    /* In seconds. */
    function time(seconds) {
        return seconds.toFixed(2) + " s";
    }

    /* Powers of a window of POINTS numbers, in place in two arrays. */
    function transform(real, imaginary) {
        for (let i = 1, j = 0; i < POINTS; i++) {
            let bit = POINTS >> 1;
            for (; j & bit; bit >>= 1) {
                j ^= bit;
            }
            j ^= bit;
            if (i < j) {
                [real[i], real[j]] = [real[j], real[i]];
            }
        }
        for (let size = 2; size <= POINTS; size *= 2) {
            for (let k = 0; k < size / 2; k++) {
                const angle = (-2 * Math.PI * k) / size;
                const [cosine, sine] = [Math.cos(angle), Math.sin(angle)];
                for (let a = k, b = k + size / 2; b < POINTS; a += size, b += size) {
                    const turnedReal = real[b] * cosine - imaginary[b] * sine;
                    const turnedImaginary = real[b] * sine + imaginary[b] * cosine;
                    real[b] = real[a] - turnedReal;
                    imaginary[b] = imaginary[a] - turnedImaginary;
                    real[a] += turnedReal;
                    imaginary[a] += turnedImaginary;
                }
            }
        }
    }

    /* A picture of what is heard, to look at: a column each 10 ms, low sounds below. Models have their own features. */
    class Spectrogram {
        constructor(canvas, rate) {
            canvas.width = COLUMNS;
            canvas.height = BANDS;
            canvas.setAttribute("role", "img");
            canvas.setAttribute("aria-label", "Spectrogram of the last " + COLUMNS / 100 + " seconds that were heard");
            this._canvas = canvas;
            this._drawn = canvas.getContext("2d", { alpha: false });
            this._hop = Math.round(rate / 100);
            this._ends = this._bandEnds(rate);
            this.reset();
        }

        _bandEnds(rate) {
            const top = Math.log1p(rate / 2 / 700);
            const bin = (share) => (700 * Math.expm1(top * share) * POINTS) / rate;
            return Array.from({ length: BANDS + 1 }, (_, band) => Math.round(bin(band / BANDS)));
        }

        reset() {
            this._samples = new Float64Array(POINTS);
            this._fresh = 0;
            this._drawn.fillStyle = "#101418";
            this._drawn.fillRect(0, 0, COLUMNS, BANDS);
        }

        /* Samples that follow, Int16Array. */
        add(samples) {
            const columns = [];
            for (const sample of samples) {
                if (this._fresh === 0) {
                    this._samples.copyWithin(0, this._hop);
                }
                this._samples[POINTS - this._hop + this._fresh] = sample / 32768;
                this._fresh = (this._fresh + 1) % this._hop;
                if (this._fresh === 0) {
                    columns.push(this._column());
                }
            }
            this._show(columns.slice(-COLUMNS));
        }

        _column() {
            const real = this._samples.map((one, i) => one * Math.sin((Math.PI * (i + 0.5)) / POINTS) ** 2);
            const imaginary = new Float64Array(POINTS);
            transform(real, imaginary);
            return Array.from({ length: BANDS }, (_, band) => {
                let power = 0;
                const last = Math.max(this._ends[band] + 1, this._ends[band + 1]);
                for (let bin = this._ends[band]; bin < last; bin++) {
                    power = Math.max(power, real[bin] ** 2 + imaginary[bin] ** 2);
                }
                const level = 10 * Math.log10((power * 16) / (POINTS * POINTS) + 1e-12);
                return Math.max(0, Math.min(1, 1 - level / FLOOR_DB));
            });
        }

        _show(columns) {
            const count = columns.length;
            if (count === 0) {
                return;
            }
            const image = this._drawn.createImageData(count, BANDS);
            columns.forEach((column, x) => {
                column.forEach((share, band) => {
                    const place = 4 * ((BANDS - 1 - band) * count + x);
                    const colour = [16 + 239 * share ** 2, 20 + 215 * share, 24 + 150 * Math.sin(2 * share), 255];
                    image.data.set(colour, place);
                });
            });
            this._drawn.drawImage(this._canvas, -count, 0);
            this._drawn.putImageData(image, COLUMNS - count, 0);
        }

        /* A line where something was found. */
        mark() {
            this._drawn.fillStyle = "#ffffff";
            this._drawn.fillRect(COLUMNS - 1, 0, 1, BANDS);
        }
    }

    async function microphone() {
        const wish = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };
        if (!navigator.mediaDevices) {
            throw new Error("browsers give it to pages from disk, from this machine and by https alone.");
        }
        return navigator.mediaDevices.getUserMedia({ audio: wish });
    }

    function release(sound) {
        sound.getTracks().forEach((track) => track.stop());
    }

    function refusal(error) {
        return error.name === "NotAllowedError" ? "it was refused." : error.message;
    }

    /* A node that hands on samples, Float32Array: a worklet, or what was before them, as pages from disk load none. */
    async function listener(context, hear) {
        if (location.protocol !== "file:") {
            await context.audioWorklet.addModule(WORKLET);
            const options = { processorOptions: { count: MICROPHONE_PART } };
            const node = new AudioWorkletNode(context, "earshot-hear", options);
            node.port.onmessage = (message) => hear(message.data);
            return node;
        }
        const node = context.createScriptProcessor(MICROPHONE_PART, 1, 1);
        node.onaudioprocess = (event) => hear(event.inputBuffer.getChannelData(0));
        return node;
    }

    /* What a panel shows. `answers` are the last ones since it began to hear, `answer` is that to a recording which is
       no longer than a clip. */
    class Panel {
        constructor(element, name) {
            this.element = element;
            this.name = name;
            this.answers = [];
            this.answer = null;
            this._turn = 0;
            this._stop = null;
            this._state("loading");
        }

        async begin() {
            try {
                this.runtime = await Earshot.load(this.name);
                this._build();
                this._state("ready");
                this._say("Choose a clip, a recording or the microphone. Nothing leaves this page.");
            } catch (error) {
                this._failed("The model does not run here: " + error.message);
            }
            return this;
        }

        _state(state) {
            this.element.dataset.state = state;
        }

        _say(text) {
            this._said = this._said || this.element.appendChild(made("p", "try-said"));
            this._said.setAttribute("role", "status");
            this._said.textContent = text;
        }

        _failed(text) {
            this._say(text);
            this._state("failed");
        }

        _build() {
            const canvas = made("canvas", "try-spectrogram");
            this._scores = made("ul", "try-scores");
            this._events = made("ol", "try-events");
            this._events.setAttribute("aria-live", "polite");
            this._events.setAttribute("aria-label", this.runtime.kind === "stream" ? "Events" : "Answers");
            this.element.classList.add("try");
            this.element.append(this._controls(), canvas);
            this._say("");
            this.element.append(this._events, this._scores);
            this._spectrogram = new Spectrogram(canvas, this.runtime.rate);
            this._meters = this.runtime.labels.map((label) => this._meter(label));
            this._takeDrops();
        }

        _controls() {
            const controls = made("div", "try-controls");
            const clips = made("span", "try-clips");
            clips.setAttribute("role", "group");
            clips.setAttribute("aria-label", "Bundled clips");
            for (const clip of Earshot.clips) {
                const hear = () => this.hearFile(Earshot.bytesOf(clip.wav).buffer, clip.name);
                clips.append(this._button("\u201c" + clip.name + "\u201d", hear));
            }
            const listen = () => (this._stop ? this._stopListening() : this.hearMicrophone());
            this._microphone = this._button("Microphone", listen);
            this._microphone.classList.add("try-microphone");
            controls.append(clips, this._chooser(), this._microphone);
            return controls;
        }

        _button(text, act) {
            const button = made("button", "try-button", text);
            button.type = "button";
            button.addEventListener("click", act);
            return button;
        }

        _chooser() {
            const label = made("label", "try-file", "A recording ");
            const input = made("input", "try-input");
            input.type = "file";
            input.accept = "audio/*";
            input.addEventListener("change", () => input.files.length && this._hearChosen(input.files[0]));
            label.append(input);
            return label;
        }

        _takeDrops() {
            this.element.addEventListener("dragover", (event) => {
                event.preventDefault();
                this.element.classList.add("try-over");
            });
            this.element.addEventListener("dragleave", () => this.element.classList.remove("try-over"));
            this.element.addEventListener("drop", (event) => {
                event.preventDefault();
                this.element.classList.remove("try-over");
                if (event.dataTransfer.files.length) {
                    this._hearChosen(event.dataTransfer.files[0]);
                }
            });
        }

        _hearChosen(file) {
            return this.hearFile(file.arrayBuffer(), file.name);
        }

        _meter(label) {
            const row = made("li", "try-score");
            const meter = made("meter", "try-meter");
            const value = made("span", "try-value", percent(0));
            meter.max = 1;
            meter.setAttribute("aria-label", label);
            row.append(made("span", "try-label", label), meter, value);
            this._scores.append(row);
            return { meter: meter, value: value, row: row };
        }

        /* The bytes of a recording, an ArrayBuffer or a promise of one: 16-bit WAV at the model's rate as it is, others
           by the browser. */
        async hearFile(bytes, name) {
            const turn = this._begin();
            this._say("Reading " + name + ".");
            const samples = await this._decoded(bytes);
            if (turn !== this._turn) {
                return;
            }
            if (samples === null || samples.length === 0) {
                this._failed(name + " is no recording that this browser can read.");
                return;
            }
            await this.hear(samples, name, turn);
        }

        /* Samples, or null for what is no recording. */
        async _decoded(bytes) {
            const rate = this.runtime.rate;
            try {
                const buffer = await bytes;
                const wav = Earshot.wavOf(buffer);
                if (wav && wav.rate === rate) {
                    return wav.samples;
                }
                const sound = await new OfflineAudioContext(1, 1, rate).decodeAudioData(buffer);
                const channels = Array.from({ length: sound.numberOfChannels }, (_, i) => sound.getChannelData(i));
                const mean = (_, i) => channels.reduce((sum, one) => sum + one[i], 0) / channels.length;
                return Earshot.asInt16(channels[0].map(mean));
            } catch (error) {
                return null;
            }
        }

        /* A new start: all is silent, and what ran before ends. */
        _begin() {
            this._endListening();
            this._turn++;
            this.answers = [];
            this.answer = null;
            this.runtime.reset();
            this._spectrogram.reset();
            this._events.replaceChildren();
            this._state("busy");
            return this._turn;
        }

        /* Samples at the model's rate, Int16Array, and behind them as much silence as a clip has, or as fills one. */
        async hear(samples, name, turn = this._begin()) {
            const clip = this.runtime.clipSamples;
            const silence = this.runtime.kind === "stream" ? clip : (clip - (samples.length % clip)) % clip;
            const whole = new Int16Array(samples.length + silence);
            const part = Math.round(PART_SECONDS * this.runtime.rate);
            whole.set(samples);
            for (let place = 0; place < whole.length; place += part) {
                this._hearPart(whole.subarray(place, place + part));
                await pause();
                if (turn !== this._turn) {
                    return;
                }
            }
            this._end(samples, name);
        }

        _hearPart(samples) {
            const answers = this.runtime.push(samples);
            this._spectrogram.add(samples);
            this.answers.push(...answers);
            this.answers.splice(0, this.answers.length - KEPT_ANSWERS);
            for (const answer of answers) {
                this._showEvent(answer);
            }
            if (answers.length) {
                this._showScores(answers[answers.length - 1].scores);
            }
        }

        _showEvent(answer) {
            const best = this.runtime.kind === "clip" ? this.runtime.ranked(answer.scores)[0] : answer.event;
            if (best) {
                this._spectrogram.mark();
                const text = [time(answer.seconds), best.label, percent(best.score)].join("  ");
                this._events.prepend(made("li", "try-event", text));
            }
            if (this._events.childElementCount > SHOWN_EVENTS) {
                this._events.lastElementChild.remove();
            }
        }

        _showScores(scores) {
            const most = Math.max(...scores);
            scores.forEach((score, number) => {
                const { meter, value, row } = this._meters[number];
                meter.value = score;
                value.textContent = percent(score);
                row.classList.toggle("try-best", score === most);
            });
        }

        /* The answer to a recording that is no longer than a clip; of others, how much was heard. */
        _end(samples, name) {
            let said = name + ": " + time(samples.length / this.runtime.rate) + " heard.";
            if (samples.length <= this.runtime.clipSamples) {
                this.answer = this.runtime.answer(samples);
                this._showScores(this.answer.scores);
                said = name + ": " + this.answer.ranked[0].label + ", " + percent(this.answer.ranked[0].score) + ".";
            }
            this._say(said);
            this._state("done");
        }

        /* What the microphone hears, until it is stopped. */
        async hearMicrophone() {
            const turn = this._begin();
            try {
                const sound = await microphone();
                if (turn !== this._turn) {
                    release(sound);
                    return;
                }
                await this._listen(sound, turn);
            } catch (error) {
                if (turn === this._turn) {
                    this._endListening();
                    this._failed("The microphone is not to be had: " + refusal(error));
                }
            }
        }

        async _listen(sound, turn) {
            const context = new AudioContext({ sampleRate: this.runtime.rate });
            this._stop = () => {
                this._stop = null;
                release(sound);
                context.close();
                this._microphone.textContent = "Microphone";
            };
            const node = await listener(context, (samples) => {
                if (turn === this._turn) {
                    this._hearPart(Earshot.asInt16(samples));
                }
            });
            if (turn === this._turn) {
                context.createMediaStreamSource(sound).connect(node).connect(context.destination);
                this._microphone.textContent = "Stop listening";
                this._say("Listening. Nothing leaves this page.");
            }
        }

        _endListening() {
            if (this._stop) {
                this._stop();
            }
        }

        _stopListening() {
            this._endListening();
            this._turn++;
            this._say("The microphone is off.");
            this._state("done");
        }
    }

    /* A panel in an element, for a model of Earshot.models; `element.panel` is the same. */
    function mount(element, name) {
        element.panel = new Panel(element, name);
        return element.panel.begin();
    }

    return { mount: mount };
})();
