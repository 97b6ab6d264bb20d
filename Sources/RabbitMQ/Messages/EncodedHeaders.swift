internal import Synchronization

/// The headers of a message that came, as they lay on the wire, decoded when somebody reads them: mostly nobody does, and of
/// the 13.7 us that a delivery with 1 KB of them takes, decoding them is 2.6 (`rmq perf consume --headers 1000`, with
/// `--read-headers` and without).
///
/// Whoever makes one has checked that the bytes are a table.
final class EncodedHeaders: Sendable {
    /// A field table with its length before it (AMQP 0-9-1, section 4.2.5.5).
    let bytes: [UInt8]
    /// Whether a broker takes the bytes as they are: a message that is sent on has what came then, even types that are not told
    /// apart once they are decoded. Else the table is encoded, after a check that says what is wrong with it.
    let isSendable: Bool
    /// How many values there are in the table, and in what nests in it.
    let values: Int
    private let decode: @Sendable ([UInt8]) -> FieldTable
    private let decoded = LazyReference<Decoded>()

    private final class Decoded: Sendable {
        let table: FieldTable

        init(_ table: FieldTable) { self.table = table }
    }

    init(
        _ bytes: [UInt8],
        isSendable: Bool = true,
        values: Int = 0,
        decode: @escaping @Sendable ([UInt8]) -> FieldTable
    ) {
        self.bytes = bytes
        self.isSendable = isSendable
        self.values = values
        self.decode = decode
    }

    /// Decoded once, but for threads that read it first at the same time.
    var table: FieldTable {
        if let decoded = decoded.load() { return decoded.table }
        return decoded.storeIfNil(Decoded(decode(bytes))).table
    }
}
