internal import TestSupport

/// What a broker does that nobody has asked for.
extension FuzzPeer {
    func happen() {
        guard let channel = channels.isEmpty ? nil : random.pick(channels.keys.sorted()), let state = channels[channel]
        else { return }
        switch random.number(0...24) {
        case 0...9: for _ in 0..<random.number(1...4) { deliver(channel) }
        case 10...16: confirm(channel)
        case 17...18:
            let header = state.header ?? .header(channel: channel, bodySize: 0)
            let (exchange, key) = state.begun
            let size = random.number(0...3)
            emit(
                .method(.basicReturn, channel: channel) {
                    $0.short(312)
                    $0.shortString("NO_ROUTE")
                    $0.octet(UInt8(exchange.count))
                    $0.raw(exchange)
                    $0.octet(UInt8(key.count))
                    $0.raw(key)
                }
            )
            emit([header] + (0..<size).map { _ in .body(channel: channel, random.bytes(upTo: 30)) })
        case 19:
            let isOn: UInt8 = random.chance(0.7) ? 1 : 0
            emit(.method(.channelFlow, channel: channel) { $0.octet(isOn) })
        case 20:
            let reason = RandomContent.shortString(&random)
            emit(.method(.connectionBlocked, channel: 0) { $0.raw(reason) })
        case 21: emit(.method(.connectionUnblocked, channel: 0))
        case 22:
            guard let tag = state.consumers.isEmpty ? nil : random.pick(state.consumers) else { return }
            emit(
                .method(.basicCancel, channel: channel) {
                    $0.octet(UInt8(tag.count))
                    $0.raw(tag)
                    $0.octet(1)
                }
            )
        case 23:
            if random.chance(0.5) { emit(mutator.close(.channelClose, channel: channel)) }
        default: emit(.heartbeat)
        }
    }

    private func deliver(_ channel: UInt16) {
        guard var state = channels[channel], let tag = state.consumers.isEmpty ? nil : random.pick(state.consumers)
        else { return }
        let number = state.nextTag
        state.nextTag += 1
        channels[channel] = state
        let (isRedelivered, key) = (UInt8(random.number(0...1)), RandomContent.shortString(&random))
        let deliver = PeerFrame.method(.basicDeliver, channel: channel) {
            $0.octet(UInt8(tag.count))
            $0.raw(tag)
            $0.longLong(number)
            $0.octet(isRedelivered)
            $0.shortString("")
            $0.raw(key)
        }
        emit([deliver] + content(channel))
    }

    private func confirm(_ channel: UInt16) {
        guard let state = channels[channel], state.published > state.confirmed else { return }
        let number = UInt64(random.number(Int(state.confirmed) + 1...Int(state.published)))
        let isMultiple = random.chance(0.5)
        if isMultiple || number == state.confirmed + 1 { channels[channel]?.confirmed = number }
        let octet: UInt8 = isMultiple ? 1 : 0
        emit(
            .method(random.chance(0.85) ? .basicAck : .basicNack, channel: channel) {
                $0.longLong(random.chance(0.05) ? 0 : number)
                $0.octet(octet)
            }
        )
    }
}
