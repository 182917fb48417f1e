// Arduino: prints the lines of the bench to the serial port. On what counts cycles see src/board.c.
#include "src/bench.h"

extern "C" void print_line(const char *line) { Serial.println(line); }

void setup() {
  Serial.begin(115200);
  delay(3000);
  bench_run();
}

void loop() { delay(1000); }
