/* One call of a layer's function. */
typedef struct {
    int32_t function, arguments[MACHINE_ARGUMENTS];
} machine_call;

/* Bytes that have one value in silence. */
typedef struct {
    int32_t place, bytes, value;
} machine_silent;

void machine_run(void)
{
    const machine_call *call = at(plan->calls), *const end = call + plan->call_count;

    for (; call < end; call++) {
        const int32_t *const to = call->arguments;
        switch (call->function) {
@CALLS        }
    }
}

void machine_silence(void)
{
    const machine_silent *silent = at(plan->silences), *const end = silent + plan->silence_count;

    for (; silent < end; silent++) {
        memset(at(silent->place), silent->value, (size_t)silent->bytes);
    }
}
