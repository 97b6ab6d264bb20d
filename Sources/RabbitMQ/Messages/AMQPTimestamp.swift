#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif
#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// Converts between dates and AMQP timestamps, which are whole seconds since 1970, unsigned, 64 bits.
///
/// AMQP 0-9-1 specification, section 4.2.5.4 ("Timestamps").
enum AMQPTimestamp {
    /// The whole seconds of `date`, or the nearest number that there is; 0 for what is not a number.
    static func seconds(of date: Date) -> UInt64 {
        let seconds = date.timeIntervalSince1970.rounded(.down)
        guard seconds > 0 else { return 0 }
        return UInt64(exactly: seconds) ?? .max
    }

    /// The date of a timestamp; beyond 2^53 seconds it is rounded.
    static func date(ofSeconds seconds: UInt64) -> Date {
        Date(timeIntervalSince1970: Double(seconds))
    }
}

extension Message {
    /// Now, in whole seconds, which is all that a message's time stamp can say; cheaper than asking for all of it.
    @usableFromInline
    static var currentSecond: Date { Date(timeIntervalSince1970: Double(time(nil))) }
}
