"""Work for the CPU."""

import time

# Between two looks at the clock, which is a system call
STEPS = 10
TEXT = "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness"


def compute(milliseconds):
    """Compute until the thread has used so much CPU time.

    By CPU time and not by the amount of work: the CPUs of a shared machine are sometimes faster and sometimes slower,
    which must not show. Threads that wait for each other do show, as waiting takes no CPU time.
    """
    end = time.thread_time() + milliseconds / 1000
    while time.thread_time() < end:
        for _step in range(STEPS):
            " ".join(sorted(TEXT.split()))
