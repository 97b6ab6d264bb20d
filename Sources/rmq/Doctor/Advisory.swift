#if Tool
/// A known mistake of a version of one of the C libraries, and whether it can be reached through this one.
struct Advisory {
    enum Library: String {
        case librabbitmq, openssl
    }

    private enum Reach: String {
        case no, yes
        /// On machines of 32 bits.
        case on32Bits = "32"
    }

    let library: Library
    /// Under which it was published.
    let names: [String]
    let what: String
    /// Why it can or can't be reached.
    let why: String
    /// The first version that has it; nil if it is as old as the library.
    private let since: LibraryVersion?
    /// The first version of each branch that doesn't have it; later branches began without.
    private let mended: [LibraryVersion]
    private let reach: Reach

    /// Those that a version has and that can be reached.
    ///
    /// - Parameter log: What the distribution has changed in that version: a mistake that it names is mended.
    static func mattering(
        of library: Library,
        version: String,
        log: String = "",
        bits: Int = Int.bitWidth
    ) -> [Advisory] {
        let version = LibraryVersion(version)
        return all.filter { advisory in
            advisory.library == library && advisory.isIn(version) && advisory.isReached(bits: bits)
                && !advisory.names.contains { $0.hasPrefix("CVE-") && log.contains($0) }
        }
    }

    private func isReached(bits: Int) -> Bool {
        switch reach {
        case .no: false
        case .yes: true
        case .on32Bits: bits <= 32
        }
    }

    private func isIn(_ version: LibraryVersion) -> Bool {
        if let since, version < since { return false }
        if let own = mended.first(where: { $0.branch == version.branch }) { return version < own }
        return mended.last.map { version < $0 } ?? true
    }

    // MARK: The list

    static let all = list.split(separator: "\n").compactMap { Advisory($0) }

    private init?(_ line: Substring) {
        let fields = line.split(separator: "|", omittingEmptySubsequences: false)
        guard fields.count == 7, let library = Library(rawValue: String(fields[0])),
            let reach = Reach(rawValue: String(fields[5]))
        else { return nil }
        self.library = library
        self.reach = reach
        let published = fields[1].split(separator: " ").map { String($0) }
        let numbers = published.filter { $0.hasPrefix("CVE-") || $0.hasPrefix("GHSA-") }
        names = numbers.isEmpty ? [String(fields[1])] : numbers
        since = fields[2] == "-" ? nil : LibraryVersion(String(fields[2]))
        mended = fields[3].split(separator: " ").map { LibraryVersion(String($0)) }
        what = String(fields[4])
        why = String(fields[6])
    }

    /// Until when what was published of OpenSSL was judged; of librabbitmq up to 0.18.0, of September 2026.
    static let judgedUntil = "April 2026"

    /// Kept by hand: what TLS clients, PEM files and AMQP decoders touch. scripts/audit.sh reads these lines too.
    ///
    /// Library | advisories | first version that has it, or - | mended in | what | can it be reached: no, yes, or on
    /// machines of 32 bits | why
    static let list = """
        librabbitmq|CVE-2019-18609|-|0.10.0|a frame of a claimed size overflows the heap in \
        amqp_handle_input|no|frames are found and checked in Swift (FrameScanner); the function is never called
        librabbitmq|CVE-2023-35789|-|0.14.0|the tools take a password on the command line|no|the tools are not used
        librabbitmq|(no number, #764 and 0.14)|-|0.14.0|tables and arrays that nest deeply overflow the \
        stack|no|NestingCheck lets no more than 32 levels be decoded
        librabbitmq|GHSA-9mmv-r8g3-qp46 CVE-2026-44235|-|0.16.0|undersized frames are read beyond their end in \
        amqp_handle_input|no|the function is never called; payloads too short for a method or a header are refused \
        before they are decoded
        librabbitmq|GHSA-jh48-qjf5-fx5v CVE-2026-44236|-|0.16.0|a frame_max below 4096 is taken over|no|Handshake \
        refuses it; amqp_tune_connection is never called
        librabbitmq|GHSA-jgjf-7fwf-f3c7 CVE-2026-59986 CVE-2026-61547|-|0.17.0|a size wraps around in \
        amqp_decode_bytes, on machines of 32 bits|32|methods are decoded with it: on 32 bits a broker can have memory \
        read beyond a frame, so use 0.17 there
        librabbitmq|GHSA-hfjv-vcp3-39wh CVE-2026-59986 CVE-2026-61547|-|0.17.0|amqp_send_frame writes a body that is \
        too large beyond its buffer|no|bodies are cut and framed in Swift; the function is never called
        librabbitmq|GHSA-5fp7-wg2f-hhgp|-|0.18.0|frames on many channels, or of unknown types, take memory without \
        bound|no|a frame on a channel that is not open, or of an unknown type, ends the connection at once
        openssl|CVE-2022-0778|-|3.0.2|a certificate with bad curve parameters has BN_mod_sqrt loop for ever|yes|a \
        server shows its certificate before it is verified
        openssl|CVE-2022-3602 CVE-2022-3786|-|3.0.7|a certificate's e-mail address in punycode overflows the \
        stack|yes|behind a trusted authority only: it is checked after the signatures
        openssl|CVE-2023-0286|-|3.0.8|addresses of the type X.400 are confused when revocation lists are \
        compared|no|no revocation lists are loaded or checked
        openssl|CVE-2022-4450 CVE-2023-0215|-|3.0.8|double free after PEM_read_bio_ex, use after free in \
        BIO_new_NDEF|yes|PEM files are read; they are the application's own
        openssl|CVE-2023-0464 CVE-2023-0465 CVE-2023-0466|-|3.0.9 3.1.1|checks of certificate policies take \
        exponential time, or are skipped|no|policies are not checked
        openssl|CVE-2023-2650|-|3.0.9 3.1.1|a long object identifier takes quadratic time to be printed|no|of a \
        certificate names are printed, which hold none; TLS limits the certificates' size
        openssl|CVE-2023-5363|-|3.0.12 3.1.4|lengths of keys and initial vectors are taken over too late|no|ciphers \
        are TLS's, which does not set lengths so
        openssl|CVE-2023-6237 CVE-2023-5678 CVE-2023-3446 CVE-2023-3817|-|3.0.13 3.1.5 3.2.1|checks of RSA and DH \
        keys that are very large take long|no|TLS does not call them for a peer's keys
        openssl|CVE-2024-0727|-|3.0.13 3.1.5 3.2.1|a PKCS #12 file crashes|no|PKCS #12 is not read
        openssl|CVE-2024-2511|-|3.0.14 3.1.6 3.2.2|sessions of TLS 1.3 take memory without bound|no|in servers only
        openssl|CVE-2024-4741|-|3.0.14 3.1.6 3.2.2 3.3.1|use after SSL_free_buffers|no|the function is not called
        openssl|CVE-2024-5535|-|3.0.15 3.1.7 3.2.3 3.3.2|SSL_select_next_proto reads beyond an empty list|no|neither \
        ALPN nor NPN is used
        openssl|CVE-2024-6119|-|3.0.15 3.1.7 3.2.3 3.3.2|a certificate's other name is compared as if it were another \
        type, and crashes|yes|names are verified by default; the certificate must come from a trusted authority
        openssl|CVE-2024-13176|-|3.0.16 3.1.8 3.2.4 3.3.3 3.4.1|ECDSA signatures tell their nonce by the time they \
        take|yes|with a client's certificate on the curve P-521, for one who measures many handshakes closely
        openssl|CVE-2024-12797|3.2|3.2.4 3.3.3 3.4.1|raw public keys (RFC 7250) are not verified|no|they have to be \
        enabled, and are not
        openssl|CVE-2025-9230 CVE-2025-15467 CVE-2026-28389 CVE-2026-28390|-|3.0.20 3.3.7 3.4.5 3.5.6 3.6.2|mistakes \
        in CMS|no|CMS is not used
        openssl|CVE-2025-66199|3.3|3.3.6 3.4.4 3.5.5 3.6.1|a compressed certificate of TLS 1.3 takes up to 22 \
        MB|yes|where OpenSSL is built with a compression; it passes, and ends with connectTimeout
        openssl|CVE-2025-68160|-|3.0.19 3.3.6 3.4.4 3.5.5 3.6.1|BIO_f_linebuffer writes beyond its buffer|no|that BIO \
        is not used
        openssl|CVE-2026-22795 CVE-2026-22796 CVE-2025-69419 CVE-2025-69420 CVE-2025-69421|-|3.0.19 3.3.6 3.4.4 3.5.5 \
        3.6.1|mistakes in PKCS #7, PKCS #12 and time stamps|no|none of them is read
        openssl|CVE-2026-28387|-|3.0.20 3.3.7 3.4.5 3.5.6 3.6.2|use after free in clients with DANE|no|DANE is not \
        used
        openssl|CVE-2026-31789|-|3.0.20 3.3.7 3.4.5 3.5.6 3.6.2|hexadecimal conversion overflows the heap, on \
        machines of 32 bits|no|certificates are not printed
        """
}

/// A version by its numbers: `3.0.19`, `0.18.0-pre`.
struct LibraryVersion: Comparable {
    private let numbers: [Int]

    init(_ text: String) {
        numbers = text.split(separator: ".").map { part in Int(part.prefix { $0.isNumber }) ?? 0 }
    }

    /// All but the last number.
    var branch: ArraySlice<Int> { numbers.dropLast() }

    static func < (one: LibraryVersion, other: LibraryVersion) -> Bool {
        one.numbers.lexicographicallyPrecedes(other.numbers)
    }
}
#endif
