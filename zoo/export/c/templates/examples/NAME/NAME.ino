// @HEARS the microphone: fill `samples` from your board's driver (PDM or I2S, @RATE Hz, 16 bits, one channel).
#include <NAME.h>

static const char *const labels[] = NAME_LABELS;
static NAME_t @STATE;
static int16_t samples[NAME_HOP];

static size_t read_microphone(int16_t *into, size_t count) {
  (void)into;
  (void)count;
  return 0;  // how many samples were read
}

void setup() {
  Serial.begin(115200);
  NAME_reset(&@STATE);
}

void loop() {
  const size_t count = read_microphone(samples, NAME_HOP);
  for (size_t used = 0; used < count;) {
    @DECLARED
    used += @HEAR;
    if (@LABEL >= 0) {
      Serial.println(labels[@LABEL]);
    }
  }
}
