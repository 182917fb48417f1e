/* The worklet that hands the samples of the microphone to the page, so many at a time. */
"use strict";

class Hear extends AudioWorkletProcessor {
    constructor(options) {
        super();
        this._part = new Float32Array(options.processorOptions.count);
        this._filled = 0;
    }

    process(inputs) {
        for (const sample of inputs[0][0] || []) {
            this._part[this._filled++] = sample;
            if (this._filled === this._part.length) {
                this.port.postMessage(this._part);
                this._filled = 0;
            }
        }
        return true;
    }
}

registerProcessor("earshot-hear", Hear);
