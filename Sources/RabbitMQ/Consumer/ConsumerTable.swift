internal import Glibc

/// What a consumer gets in one batch, on the link's queue.
final class ConsumerIntake {
    let consumer: Consumer
    let source: DeliverySource
    /// As the source says, whose use the consumer's messages count up and down.
    let noAck: Bool
    private let tagBytes: [UInt8]
    private let buffer: DeliveryBuffer
    @exclusivity(unchecked) private var run = DeliveryRun()
    /// Runs of the batch before the one that is being filled.
    private var fullRuns: [DeliveryRun] = []
    /// Whether there is nothing to hand over.
    @exclusivity(unchecked) private(set) var isEmpty = true

    init(_ consumer: Consumer) {
        self.consumer = consumer
        source = consumer.source
        noAck = consumer.source.noAck
        buffer = consumer.buffer
        tagBytes = Array(consumer.tag.utf8)
    }

    @inline(__always)
    func hasTag(_ tag: UnsafeBufferPointer<UInt8>) -> Bool {
        guard tagBytes.count == tag.count, let base = tag.baseAddress else { return false }
        return tagBytes.withUnsafeBufferPointer { bytes in
            bytes.baseAddress.map { memcmp($0, base, tag.count) == 0 } ?? false
        }
    }

    @inline(__always)
    func append(_ chunk: ReceiveChunk, offset: Int, bodySize: Int) {
        isEmpty = false
        if run.append(chunk, offset: offset, bodySize: bodySize) { return }
        beginRun()
        _ = run.append(chunk, offset: offset, bodySize: bodySize)
    }

    func append(_ message: IncomingMessage) {
        isEmpty = false
        run.append(message)
    }

    private func beginRun() {
        fullRuns.append(run)
        run = DeliveryRun()
    }

    func handOver() {
        if !fullRuns.isEmpty {
            for run in fullRuns { _ = handOver(run) }
            fullRuns = []
        }
        run = handOver(run)
        isEmpty = true
    }

    /// Hands a run over.
    ///
    /// - Returns: An empty one.
    private func handOver(_ run: DeliveryRun) -> DeliveryRun {
        run.releaseChunk()
        switch buffer.append(run) {
        case .taken(let spare): return spare ?? DeliveryRun()
        case .ended:
            consumer.giveBack([run])
            return DeliveryRun()
        }
    }
}

/// The consumers of one channel by their tags.
struct ConsumerTable {
    private var intakes: [String: ConsumerIntake] = [:]
    /// Those found before, each where its tag's last bytes say so, which spares making a text and hashing it.
    private var found: ContiguousArray<Slot> = []

    private struct Slot {
        var intake: ConsumerIntake?
        /// Its tag, if that is one of the usual length.
        var tag: ShortTag?
    }

    @discardableResult
    mutating func add(_ consumer: Consumer) -> ConsumerIntake {
        if let intake = intakes[consumer.tag], intake.consumer === consumer { return intake }
        found = []
        let intake = ConsumerIntake(consumer)
        intakes[consumer.tag] = intake
        return intake
    }

    @discardableResult
    mutating func remove(tag: String) -> ConsumerIntake? {
        found = []
        return intakes.removeValue(forKey: tag)
    }

    /// Removes a consumer whose cancelling was answered, not one that has begun with its tag since.
    mutating func removeCancelled(tag: String) {
        if intakes[tag]?.consumer.isCancelling == true { remove(tag: tag) }
    }

    mutating func removeAll() -> [Consumer] {
        found = []
        defer { intakes = [:] }
        return intakes.values.map(\.consumer)
    }

    @inline(__always)
    mutating func find(_ tag: UnsafeBufferPointer<UInt8>) -> ConsumerIntake? {
        let number = Self.number(tag)
        if !found.isEmpty {
            let slot = number & (found.count - 1)
            if let short = ShortTag(tag) {
                if found[slot].tag == short { return found[slot].intake }
            } else if let intake = found[slot].intake, intake.hasTag(tag) {
                return intake
            }
        }
        guard let intake = intakes[String(decoding: tag, as: UTF8.self)] else { return nil }
        remember(intake, number, ShortTag(tag))
        return intake
    }

    @inline(never)
    private mutating func remember(_ intake: ConsumerIntake, _ number: Int, _ tag: ShortTag?) {
        // A power of two.
        if found.isEmpty { found = ContiguousArray(repeating: Slot(), count: intakes.count > 8 ? 1024 : 16) }
        found[number & (found.count - 1)] = Slot(intake: intake, tag: tag)
    }

    /// Tags mostly end in a number: its last three digits make another one for each.
    @inline(__always)
    private static func number(_ tag: UnsafeBufferPointer<UInt8>) -> Int {
        let count = tag.count
        guard count >= 3 else { return 0 }
        return Int(tag[count - 1]) + 10 * Int(tag[count - 2]) + 100 * Int(tag[count - 3])
    }
}

/// A tag of eight to sixteen bytes, as those made up are: its first and its last eight. Compared in the table, it spares
/// looking for the consumer's own, which among hundreds of consumers no processor has at hand.
private struct ShortTag: Equatable {
    private let first: UInt64
    private let last: UInt64
    private let count: Int

    @inline(__always)
    init?(_ tag: UnsafeBufferPointer<UInt8>) {
        guard tag.count >= 8, tag.count <= 16 else { return nil }
        let bytes = UnsafeRawBufferPointer(tag)
        first = bytes.loadUnaligned(as: UInt64.self)
        last = bytes.loadUnaligned(fromByteOffset: tag.count - 8, as: UInt64.self)
        count = tag.count
    }
}
