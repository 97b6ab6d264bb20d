internal import Synchronization

/// The headers of a message that came, as they lay on the wire, decoded when somebody reads them: mostly nobody does, or reads
/// one of them, which is looked for in the bytes.
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
    /// Whether they nest too deep to be decoded as they are.
    private let isTooDeep: Bool
    private let coding: any HeaderCoding.Type
    private let decoded = LazyReference<Decoded>()

    private final class Decoded: Sendable {
        let table: FieldTable

        init(_ table: FieldTable) { self.table = table }
    }

    init(
        _ bytes: [UInt8],
        isSendable: Bool = true,
        isTooDeep: Bool = false,
        values: Int = 0,
        _ coding: any HeaderCoding.Type
    ) {
        self.bytes = bytes
        self.isSendable = isSendable
        self.values = values
        self.isTooDeep = isTooDeep
        self.coding = coding
    }

    /// Decoded once, but for threads that read it first at the same time.
    var table: FieldTable {
        if let decoded = decoded.load() { return decoded.table }
        return decoded.storeIfNil(Decoded(coding.table(bytes, isTooDeep: isTooDeep))).table
    }

    /// One of them; nil if there is none of this name.
    func value(_ name: String) -> FieldValue? {
        if let decoded = decoded.load() { return decoded.table[name] }
        return switch coding.search(bytes, for: name, isTooDeep: isTooDeep) {
        case .found(let value): value
        case .missing: nil
        case .unclear: table[name]
        }
    }
}
