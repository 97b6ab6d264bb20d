#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// What a server's certificate must hold.
enum PeerName: CustomStringConvertible {
    case name(String)
    case address(String)

    init(_ host: String) {
        // The zone of fe80::1%eth0 is this machine's business, and a final dot the resolver's.
        let bare = host.split(separator: "%", maxSplits: 1).first.map(String.init) ?? host
        var address = in6_addr()
        if inet_pton(AF_INET, bare, &address) == 1 || inet_pton(AF_INET6, bare, &address) == 1 {
            self = .address(bare)
        } else {
            self = .name(host.hasSuffix(".") ? String(host.dropLast()) : host)
        }
    }

    /// Whether OpenSSL takes it for one name. Of an empty one it verifies nothing, and of one that begins with a dot it takes
    /// any name below it.
    var isVerifiable: Bool {
        switch self {
        case .address: true
        case .name(let name): !name.isEmpty && !name.hasPrefix(".") && !name.utf8.contains(0)
        }
    }

    var isAddress: Bool { if case .address = self { true } else { false } }

    /// What is told to the server in the handshake; names only (RFC 6066, section 3).
    var indication: String? { if case .name(let name) = self { name } else { nil } }

    var description: String {
        switch self {
        case .name(let name): name
        case .address(let address): address
        }
    }
}
