# Copyright: (c) 2026, the pyweb.gunicorn authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files in which workers count their requests: gunicorn.conf.py writes them, and `request_counters` reads them."""

# The template of gunicorn.conf.py embeds this text in the middle of that file. So there is no `from __future__` here,
# which must be at the beginning of a file, no import, and a single name that is none of Gunicorn's settings.


class CountersFormat:
    """The layout of a file: 64-bit words in the host's byte order, first those in WORDS, then a histogram of BUCKETS.

    Times are nanoseconds, but `since` is a time of the clock in seconds. The words that begin with `alone` count only
    requests that had the process to themselves.
    """

    VERSION = 1
    WORDS = ("version", "since", "requests", "time", "longest", "alone", "alone_time", "alone_cpu", "alone_delay")
    BUCKETS = 96
    SIZE = 8 * (len(WORDS) + BUCKETS)  # bytes
    UNIT_BITS = 16  # buckets begin at multiples of 2**16 nanoseconds, which are 65.5 microseconds

    @staticmethod
    def bucket_of(nanoseconds: int) -> int:
        """Return the bucket of a time: each power of two has four buckets, and the last bucket has no end."""
        units = nanoseconds >> CountersFormat.UNIT_BITS
        power = max(units.bit_length() - 3, 0)
        return min((units >> power) + 4 * power, CountersFormat.BUCKETS - 1)

    @staticmethod
    def bucket_start(bucket: int) -> int:
        """Return the shortest time in a bucket, in units of 2**16 nanoseconds."""
        power = max(bucket // 4 - 1, 0)
        return (bucket - 4 * power) << power
