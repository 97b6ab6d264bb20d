#if Tool
/// What one step of an examination found.
struct Finding: Encodable {
    enum Status: String, Encodable {
        case ok, warning, failed
        /// It could not be tried, or there is nothing to try.
        case skipped
    }

    let step: String
    let status: Status
    /// How long it took, in milliseconds.
    let milliseconds: Double?
    let found: String
    var cause: String?
    var cure: String?
    /// Of the libraries and the broker, those that matter: their numbers.
    var advisories: [String]?
}

/// All that an examination found.
struct Examination: Encodable {
    let broker: String
    var steps: [Finding] = []
    /// Of the C libraries, and of the broker once it is reached.
    var versions: [String: String] = [:]

    /// The first step that failed.
    var failed: String? { steps.first { $0.status == .failed }?.step }

    private enum CodingKeys: String, CodingKey {
        case broker, ok, failed, steps, versions
    }

    func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(broker, forKey: .broker)
        try fields.encode(failed == nil, forKey: .ok)
        try fields.encode(failed, forKey: .failed)
        try fields.encode(steps, forKey: .steps)
        try fields.encode(versions, forKey: .versions)
    }

    mutating func add(_ step: String, took duration: Duration? = nil, _ found: String) {
        add(step, .ok, took: duration, found)
    }

    mutating func add(
        _ step: String,
        _ status: Finding.Status,
        took duration: Duration? = nil,
        _ found: String,
        cause: String? = nil,
        cure: String? = nil,
        advisories: [String]? = nil
    ) {
        let milliseconds = duration.map { ($0 / .microseconds(1)).rounded() / 1000 }
        steps.append(
            Finding(
                step: step,
                status: status,
                milliseconds: milliseconds,
                found: found,
                cause: cause,
                cure: cure,
                advisories: advisories
            )
        )
    }
}
#endif
