#if Tool
/// A known mistake of the broker itself. This library can do nothing about it; whoever runs the broker wants to know.
struct BrokerAdvisory {
    /// Under which it was published.
    let names: [String]
    let what: String
    /// The first version that has it; nil if it is not known to have begun.
    private let since: LibraryVersion?
    /// The first version of each series that doesn't have it; later series began without.
    private let mended: [LibraryVersion]

    /// Those that a version has, as published. Distributions may have mended them in the same version.
    static func mattering(version text: String) -> [BrokerAdvisory] {
        guard let version = LibraryVersion(broker: text) else { return [] }
        return all.filter { $0.isIn(version) }
    }

    private func isIn(_ version: LibraryVersion) -> Bool {
        if let since, version < since { return false }
        if let own = mended.first(where: { $0.branch == version.branch }) { return version < own }
        return mended.last.map { version < $0 } ?? true
    }

    // MARK: Series

    /// The oldest series for which the community still gets corrections, in the month of ``judgedUntil``.
    private static let oldestSeries = LibraryVersion("4.2")

    /// Whether the community gets no corrections any more for the series of a version.
    static func isOutOfSupport(version text: String) -> Bool {
        LibraryVersion(broker: text).map { $0 < oldestSeries } ?? false
    }

    // MARK: The list

    static let all = list.split(separator: "\n").compactMap { BrokerAdvisory($0) }

    private init?(_ line: Substring) {
        let fields = line.split(separator: "|", omittingEmptySubsequences: false)
        guard fields.count == 4 else { return nil }
        names = fields[0].split(separator: " ").map { String($0) }
        since = fields[1] == "-" ? nil : LibraryVersion(String(fields[1]))
        mended = fields[2].split(separator: " ").map { LibraryVersion(String($0)) }
        what = String(fields[3])
    }

    /// Until when what was published was judged.
    static let judgedUntil = "September 2026"

    /// Kept by hand, of what the versions say that are published as affected: all but what is for Windows alone.
    ///
    /// Advisories | first version that has it, or - | mended in | what
    static let list = """
        CVE-2021-22116|-|3.8.16|a malformed AMQP 1.0 message has the plugin take memory for ever
        CVE-2021-32718|-|3.8.17|the management UI shows names of new users unescaped
        CVE-2021-32719|-|3.8.18|the management UI shows consumer tags of federation links unescaped
        CVE-2022-31008|3.8.0|3.8.32 3.9.18 3.10.2|logs show URIs of shovels and federation, under a guessable key
        CVE-2023-46118|-|3.11.24 3.12.7|the HTTP API takes bodies of any size, which can use up the memory
        CVE-2024-51988|3.12.7|3.12.11|the HTTP API deletes queues for users without the permission to configure them
        CVE-2025-30219|-|3.13.8 4.0.3|the management UI shows names of virtual hosts that fail to start unescaped
        CVE-2025-50200|-|3.13.8 4.0.8|the HTTP API logs passwords of requests for what does not exist
        CVE-2026-44838|4.2.0|4.2.4|MQTT client IDs are taken for regular expressions in topic permissions
        CVE-2026-57212|-|3.13.14 4.0.19 4.1.10 4.2.5|the HTTP API takes bodies larger than max_http_body_size
        CVE-2026-57216|-|3.13.15 4.0.20 4.1.11 4.2.6|users for localhost only, such as guest, can log in through a \
        proxy (PROXY protocol)
        CVE-2026-57217|-|3.13.15 4.0.21 4.1.11 4.2.6|topic permissions are not kept to while the metadata store fails
        CVE-2026-57219|-|3.13.15 4.0.20 4.1.11 4.2.6|the HTTP API tells anybody the OAuth client secret (/api/auth)
        CVE-2026-57220|-|4.2.6|before the login the stream plugin takes frames of any size
        CVE-2026-67226|4.0.0|4.0.22 4.1.14 4.2.7|an administrator can crash a node by the tags of a user
        CVE-2026-67237|4.2.0|4.2.8 4.3.2|the management UI with OAuth runs scripts that stand in a token
        CVE-2026-67241|4.2.0|4.2.9 4.3.3|AMQP 1.0 clients name alternate exchanges without the permissions for them
        CVE-2026-67242|4.2.0|4.2.9 4.3.3|OAuth tokens whose expiry is no whole number never expire
        CVE-2026-67408|4.1.0|4.1.11 4.2.9 4.3.3|a user of the HTTP API without permissions can use up the memory by a \
        super stream
        CVE-2026-67409|3.13.0|3.13.18 4.0.23 4.1.14 4.2.9 4.3.3|an error page of the OAuth provider \
        drops all signing keys
        CVE-2026-67410|4.2.0|4.2.9 4.3.3|the management UI tells anybody the OAuth client secret
        CVE-2026-67411|3.13.0|3.13.18 4.0.23 4.1.14 4.2.9 4.3.3|MQTT users for localhost only can log in \
        through a proxy (PROXY protocol)
        CVE-2026-67412|3.13.0|3.13.18 4.0.24 4.1.14 4.2.9 4.3.3|who may set policies of one virtual host \
        takes messages of others, by federation
        CVE-2026-67415|4.2.0|4.2.9 4.3.3|who may set policies can crash a node by parameters of a shovel
        CVE-2026-67419|-|4.3.5|binding keys with several # have a topic exchange use up the processors
        CVE-2026-67421|3.13.0|3.13.19 4.0.24 4.1.15 4.2.10 4.3.5|the management UI with OAuth shows names \
        of queues unescaped
        GHSA-3526-xvv4-q9mr|3.13.0|3.13.19 4.0.24 4.1.15 4.2.10 4.3.5|an administrator of the HTTP API can run \
        any code in the broker
        """
}

extension LibraryVersion {
    /// What a broker says of its version: `4.2.0-rc.1` and `3.13.7+2` count as what stands before that.
    ///
    /// - Returns: nil if it is none with at least two numbers.
    init?(broker text: String) {
        let numbers = text.prefix { $0 == "." || ("0"..."9").contains($0) }
        guard numbers.split(separator: ".").count >= 2 else { return nil }
        self.init(String(numbers))
    }
}
#endif
