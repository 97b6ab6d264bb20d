/// A broker's version, as it says it when a connection begins: `4.3.6`, `4.3.0-rc.1`, `3.10.8+1`.
///
/// Ordered by number, and a pre-release before its release. What comes behind a `+` says how it was built, and counts for
/// nothing.
struct ServerVersion: Hashable, Sendable {
    let major: Int
    let minor: Int
    let patch: Int
    /// What comes behind the hyphen, cut at its dots; empty for a release.
    let preRelease: [String]

    init(_ major: Int, _ minor: Int, _ patch: Int = 0, preRelease: [String] = []) {
        self.major = major
        self.minor = minor
        self.patch = patch
        self.preRelease = preRelease
    }

    /// Reads a version; nil for what is none. Whoever asks for a version has to do without one then.
    init?(_ text: String) {
        let release = text.prefix { $0 != "+" }
        let halves = release.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        let numbers = halves[0].split(separator: ".", omittingEmptySubsequences: false).map(Self.number)
        guard (2...3).contains(numbers.count), let major = numbers[0], let minor = numbers[1],
            let patch = numbers.count == 3 ? numbers[2] : 0
        else { return nil }
        let preRelease = halves.count == 2 ? halves[1].split(separator: ".", omittingEmptySubsequences: false) : []
        // It is logged: a stranger's line feeds and escapes are no part of a version.
        guard preRelease.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy(Self.isPlain) }) else { return nil }
        self.init(major, minor, patch, preRelease: preRelease.map(String.init))
    }

    /// The version in what a broker tells about itself; nil if it is not RabbitMQ, whose versions alone mean something
    /// here, or says none.
    init?(_ serverProperties: FieldTable) {
        guard serverProperties["product"]?.stringValue == "RabbitMQ",
            let version = serverProperties["version"]?.stringValue
        else { return nil }
        self.init(version)
    }

    /// Whether what came with a version is there: its release candidates have it too.
    func isAtLeast(_ major: Int, _ minor: Int, _ patch: Int = 0) -> Bool {
        (self.major, self.minor, self.patch) >= (major, minor, patch)
    }

    /// From RabbitMQ 4.1 on frames of 8192 bytes are the least there are, and are taken before their size is agreed on.
    var takesLargerFrames: Bool { isAtLeast(4, 1) }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    /// Digits only, and no more than a number holds.
    private static func number(_ text: Substring) -> Int? {
        text.utf8.allSatisfy((UInt8(ascii: "0")...UInt8(ascii: "9")).contains) ? Int(text) : nil
    }
}

extension ServerVersion: Comparable {
    static func < (left: ServerVersion, right: ServerVersion) -> Bool {
        let (leftNumbers, rightNumbers) = (left.numbers, right.numbers)
        if leftNumbers != rightNumbers { return leftNumbers < rightNumbers }
        if left.preRelease.isEmpty || right.preRelease.isEmpty {
            return !left.preRelease.isEmpty && right.preRelease.isEmpty
        }
        return left.preRelease.lexicographicallyPrecedes(right.preRelease, by: Self.precedes)
    }

    private var numbers: (Int, Int, Int) { (major, minor, patch) }

    /// Numbers by size, and before words.
    private static func precedes(_ left: String, _ right: String) -> Bool {
        switch (number(left[...]), number(right[...])) {
        case (let left?, let right?): left < right
        case (_?, nil): true
        case (nil, _?): false
        case (nil, nil): left < right
        }
    }
}

extension ServerVersion: CustomStringConvertible {
    var description: String {
        "\(major).\(minor).\(patch)" + (preRelease.isEmpty ? "" : "-" + preRelease.joined(separator: "."))
    }
}
