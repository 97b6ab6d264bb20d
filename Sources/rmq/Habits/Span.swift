#if Tool
internal import ArgumentParser

/// A length of time as one writes it: `500ms`, `30s`, `5m`, `2h`, `7d`; a number alone is seconds.
struct Span: ExpressibleByArgument, CustomStringConvertible {
    let duration: Duration
    let description: String

    static func seconds(_ seconds: Int) -> Span { Span(duration: .seconds(seconds), description: "\(seconds)s") }

    private init(duration: Duration, description: String) {
        self.duration = duration
        self.description = description
    }

    init?(argument: String) {
        let units: [(String, Double)] = [("ms", 0.001), ("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400), ("", 1)]
        guard let (unit, factor) = units.first(where: { argument.hasSuffix($0.0) }),
            let number = Double(argument.dropLast(unit.count)), number >= 0, number * factor <= 3_153_600_000
        else { return nil }
        duration = .milliseconds(Int64(number * factor * 1000))
        description = argument
    }
}
#endif
