"""Work for the CPU."""

import time

# Between two looks at the clock, which is a system call
STEPS = 10
TEXT = "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness"


def compute(milliseconds):
    """Compute until the thread has used so much CPU time.

    By the clock, not by the amount of work: that the CPUs of a shared machine are faster now and slower then shall not
    show. That threads wait for each other does, as waiting takes no CPU time.
    """
    end = time.thread_time() + milliseconds / 1000
    while time.thread_time() < end:
        for _step in range(STEPS):
            " ".join(sorted(TEXT.split()))
