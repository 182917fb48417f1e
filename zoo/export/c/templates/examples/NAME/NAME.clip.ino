// Answers to the microphone, clip by clip: fill `samples` from your board's driver (PDM or I2S, @RATE Hz, 16 bits, one channel).
#include <NAME.h>

static const char *const labels[] = NAME_LABELS;
static NAME_t clip;
static int16_t samples[NAME_HOP];

static size_t read_microphone(int16_t *into, size_t count) {
  (void)into;
  (void)count;
  return 0;  // how many samples were read
}

void setup() {
  Serial.begin(115200);
  NAME_reset(&clip);
}

void loop() {
  const size_t count = read_microphone(samples, NAME_HOP);
  for (size_t used = 0; used < count;) {
    int32_t label;
    uint32_t score;
    used += NAME_answer(&clip, samples + used, count - used, &label, &score);
    if (label >= 0) {
      Serial.println(labels[label]);
    }
  }
}
