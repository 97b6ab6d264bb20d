internal import TestSupport

/// Properties, tables and bodies as publishers may send them: mostly well-formed.
enum RandomContent {
    /// Property flags and properties of a content header (AMQP 0-9-1, section 4.2.6.1).
    static func properties(_ random: inout SplitMix) -> [UInt8] {
        var flags: UInt16 = 0
        var writer = PeerWriter()
        for property in 0..<14 where random.chance(0.3) {
            flags |= 1 << (15 - property)
            switch property {
            case 2: writer.block(table(&random, depth: depth(&random)))
            case 3, 4: writer.octet(UInt8.random(in: 0...255, using: &random))
            case 9: writer.longLong(random.chance(0.5) ? 1_700_000_000 : random.next())
            default: writer.raw(shortString(&random))
            }
        }
        var head = PeerWriter()
        head.short(flags)
        return head.bytes + writer.bytes
    }

    /// As a short string: mostly text, of any length, sometimes no UTF-8.
    static func shortString(_ random: inout SplitMix) -> [UInt8] {
        let count = random.chance(0.1) ? 255 : random.number(0...20)
        let isText = random.chance(0.8)
        return [UInt8(count)] + (0..<count).map { _ in UInt8(random.number(isText ? 32...126 : 0...255)) }
    }

    private static func depth(_ random: inout SplitMix) -> Int {
        random.chance(0.02) ? random.number(20...4000) : random.number(0...3)
    }

    /// The entries of a table (section 4.2.5.5, with RabbitMQ's letters).
    static func table(_ random: inout SplitMix, depth: Int) -> [UInt8] {
        var writer = PeerWriter()
        for _ in 0..<random.number(0...4) {
            writer.raw(shortString(&random))
            writer.raw(value(&random, depth: min(depth, 3)))
        }
        if depth > 0 {
            // One way to the bottom, without building the others again at each level.
            var inner: [UInt8] = []
            for level in 0..<depth {
                var outer = PeerWriter()
                if level % 2 == 0 { outer.raw([1, UInt8(ascii: "k")]) }
                outer.octet(UInt8(ascii: level % 2 == 0 ? "A" : "F"))
                outer.block(inner)
                inner = outer.bytes
                if inner.count > 60_000 { break }
            }
            if inner.first != 1 { inner = [1, UInt8(ascii: "x")] + inner }
            writer.raw(inner)
        }
        return writer.bytes
    }

    private static func value(_ random: inout SplitMix, depth: Int) -> [UInt8] {
        var writer = PeerWriter()
        let letter = random.pick(
            Array("tbBsuIilfdDSTVxAF".utf8) + (random.chance(0.02) ? [random.bytes(upTo: 1).first ?? 0] : [])
        )
        writer.octet(letter)
        switch letter {
        case UInt8(ascii: "t"), UInt8(ascii: "b"), UInt8(ascii: "B"):
            writer.octet(UInt8(truncatingIfNeeded: random.next()))
        case UInt8(ascii: "s"), UInt8(ascii: "u"): writer.short(UInt16(truncatingIfNeeded: random.next()))
        case UInt8(ascii: "I"), UInt8(ascii: "i"), UInt8(ascii: "f"):
            writer.long(UInt32(truncatingIfNeeded: random.next()))
        case UInt8(ascii: "l"), UInt8(ascii: "d"), UInt8(ascii: "T"): writer.longLong(random.next())
        case UInt8(ascii: "D"):
            writer.octet(UInt8(truncatingIfNeeded: random.next()))
            writer.long(UInt32(truncatingIfNeeded: random.next()))
        case UInt8(ascii: "S"), UInt8(ascii: "x"): writer.block(random.bytes(upTo: 30))
        case UInt8(ascii: "A"):
            let values = depth > 0 ? (0..<random.number(0...3)).flatMap { _ in value(&random, depth: depth - 1) } : []
            writer.block(values)
        case UInt8(ascii: "F"):
            var entries = PeerWriter()
            if depth > 0 {
                for _ in 0..<random.number(0...2) {
                    entries.raw(shortString(&random))
                    entries.raw(value(&random, depth: depth - 1))
                }
            }
            writer.block(entries.bytes)
        default: break
        }
        return writer.bytes
    }
}
