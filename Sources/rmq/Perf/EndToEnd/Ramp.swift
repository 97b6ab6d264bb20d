#if Tool
internal import ArgumentParser

/// How many messages a second, which changes with time: `0-1000:30s,1000:2m,1000-0:30s`.
struct Ramp: ExpressibleByArgument {
    /// As it is given.
    let text: String
    private let parts: [Part]

    fileprivate struct Part {
        /// Messages a second, at the beginning and at the end.
        let from: Double
        let to: Double
        let seconds: Double

        var messages: Double { (from + to) / 2 * seconds }
    }

    /// The same rate for ever.
    init(rate: Double) {
        text = "\(rate)"
        parts = [Part(from: rate, to: rate, seconds: .infinity)]
    }

    init?(argument: String) {
        guard let parts = [Part](partsOf: argument, Part.init) else { return nil }
        self.parts = parts
        text = argument
        guard time(of: 0) != nil else { return nil }
    }

    /// When it ends.
    var seconds: Double { parts.reduce(0) { $0 + $1.seconds } }

    /// After how many seconds a message is due, of which the first has number 0; nil if it is not before the end.
    func time(of number: Int) -> Double? {
        // In the middle of its interval: a rate that begins with 0 does not begin with a message.
        var rest = Double(number) + 0.5
        var begin = 0.0
        for part in parts {
            if rest <= part.messages {
                // from * t + slope * t * t = rest, in the form that has no difference of nearly equal numbers.
                let slope = (part.to - part.from) / (2 * part.seconds)
                let root = max(0, part.from * part.from + 4 * slope * rest).squareRoot()
                return begin + 2 * rest / (part.from + root)
            }
            rest -= part.messages
            begin += part.seconds
        }
        return nil
    }
}

extension Array {
    /// The parts of an argument, with commas between them; nil if one is not understood.
    init?(partsOf argument: String, _ read: (Substring) -> Element?) {
        self = []
        for text in argument.split(separator: ",", omittingEmptySubsequences: false) {
            guard let part = read(text) else { return nil }
            append(part)
        }
    }
}

extension Ramp.Part {
    fileprivate init?(_ text: Substring) {
        let halves = text.split(separator: ":", omittingEmptySubsequences: false)
        guard halves.count == 2, let span = Span(argument: String(halves[1])), span.duration > .zero else { return nil }
        let rates = halves[0].split(separator: "-", omittingEmptySubsequences: false).map { Double($0) }
        guard rates.count <= 2, let from = rates[0], let to = rates[rates.count - 1],
            (0...100_000_000).contains(from), (0...100_000_000).contains(to)
        else { return nil }
        self.init(from: from, to: to, seconds: span.duration / .seconds(1))
    }
}
#endif
