/// The ages of a stream's messages as RabbitMQ writes them: a number and one of `Y`, `M`, `D`, `h`, `m`, `s`.
///
/// RabbitMQ: [Data retention](https://www.rabbitmq.com/docs/streams#retention).
enum StreamAge {
    /// Days are the longest unit here: years and months have no one length.
    private static let units: [(letter: Character, seconds: Int64)] = [
        ("D", 86_400), ("h", 3_600), ("m", 60), ("s", 1),
    ]

    /// In whole seconds, rounded up, and in the largest unit that fits.
    static func text(_ age: Duration) -> String {
        let milliseconds = age.wholeMilliseconds
        let seconds = milliseconds / 1_000 + (milliseconds % 1_000 > 0 ? 1 : 0)
        let unit = units.first { seconds % $0.seconds == 0 } ?? ("s", 1)
        return "\(seconds / unit.seconds)\(unit.letter)"
    }

    /// The age that ``text(_:)`` writes so; nil for any other text.
    static func duration(_ text: String) -> Duration? {
        guard let letter = text.last, let unit = units.first(where: { $0.letter == letter }),
            let count = Int64(text.dropLast()), count > 0, count <= Int64.max / 86_400 / 1_000
        else { return nil }
        let age = Duration.seconds(count * unit.seconds)
        return self.text(age) == text ? age : nil
    }
}
