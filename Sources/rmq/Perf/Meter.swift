#if Tool
#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// What a measured part took.
struct Usage {
    var seconds: Double
    var cpuSeconds: Double
    /// The process at the end; nil where the system doesn't tell.
    var process: ProcessStatus?
}

/// Reads the clock and the process's CPU time, at the beginning and at the end of the measured part.
struct Meter {
    private let start = ContinuousClock.now
    private let startCPU = Meter.cpuSeconds

    func read() -> Usage {
        let (end, endCPU) = (ContinuousClock.now, Meter.cpuSeconds)
        return Usage(seconds: (end - start) / .seconds(1), cpuSeconds: endCPU - startCPU, process: ProcessStatus.now)
    }

    /// User and system time of the process.
    static var cpuSeconds: Double {
        let usage = usage()
        return seconds(usage.ru_utime) + seconds(usage.ru_stime)
    }

    /// User and system time of the thread.
    static var threadSeconds: Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// The clock that other processes read as well.
    static var monotonicNanoseconds: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// The most memory that the process had, in MiB.
    static var peakMegabytes: Double { Double(usage().ru_maxrss) / 1024 }

    private static func usage() -> rusage {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return usage
    }

    private static func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
}
#endif
