#if Tool
internal import ArgumentParser

/// Sizes of bodies, some of them more frequent than others: `100`, `100-2k`, `200:9,64k:1`.
struct SizeMix: ExpressibleByArgument {
    /// As it is given.
    let text: String
    private let parts: [Part]
    private let totalWeight: Double

    fileprivate struct Part {
        /// Each as frequent as the others.
        let sizes: ClosedRange<Int>
        let weight: Double
    }

    /// One size only.
    init(_ size: Int) {
        text = "\(size)"
        parts = [Part(sizes: size...size, weight: 1)]
        totalWeight = 1
    }

    init?(argument: String) {
        guard let parts = [Part](partsOf: argument, Part.init) else { return nil }
        self.parts = parts
        text = argument
        totalWeight = parts.reduce(0) { $0 + $1.weight }
    }

    var largest: Int { parts.map(\.sizes.upperBound).max() ?? 0 }

    var mean: Double {
        var sum = 0.0
        for part in parts { sum += Double(part.sizes.lowerBound + part.sizes.upperBound) / 2 * part.weight }
        return sum / totalWeight
    }

    /// The size of the next body.
    func size(using generator: inout SplitMix) -> Int {
        guard parts.count > 1 || parts[0].sizes.count > 1 else { return parts[0].sizes.lowerBound }
        var rest = Double.random(in: 0..<totalWeight, using: &generator)
        for part in parts {
            if rest < part.weight { return Int.random(in: part.sizes, using: &generator) }
            rest -= part.weight
        }
        // Rounding.
        return parts[parts.count - 1].sizes.upperBound
    }
}

extension SizeMix.Part {
    fileprivate init?(_ text: Substring) {
        let halves = text.split(separator: ":", omittingEmptySubsequences: false)
        let ends = halves[0].split(separator: "-", omittingEmptySubsequences: false).map { Self.bytes($0) }
        guard halves.count <= 2, ends.count <= 2, let low = ends[0], let high = ends[ends.count - 1], low <= high
        else { return nil }
        let given: Double? = halves.count == 2 ? Double(halves[1]) : 1
        guard let weight = given, weight > 0, weight <= 1_000_000_000 else { return nil }
        self.init(sizes: low...high, weight: weight)
    }

    /// `100`, `16k`, `1m`.
    private static func bytes(_ text: Substring) -> Int? {
        let factor = text.hasSuffix("k") ? 1024 : text.hasSuffix("m") ? 1024 * 1024 : 1
        guard let number = Int(factor == 1 ? text : text.dropLast()), number >= 0,
            number <= PerfOptions.largestMessage / factor
        else { return nil }
        return number * factor
    }
}

/// Random numbers that are the same in each run, so that two runs have the same sizes, and that cost no system call:
/// <https://prng.di.unimi.it/splitmix64.c>.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: Int) { state = UInt64(truncatingIfNeeded: seed) }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}
#endif
