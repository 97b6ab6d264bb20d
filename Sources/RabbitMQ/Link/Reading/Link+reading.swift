extension Link {
    /// What is received for many consumers is handed over once so many bytes have come for each: waking them costs more
    /// than the messages do.
    private static let bytesPerRecipient = 3072
    /// So many consumers are woken for whatever comes.
    private static let fewRecipients = 8

    /// Reads what there is, and has the queue told when there is more.
    func readable(on thread: ReadingThread = .queue) {
        let work = reading.takeWork()
        var count = 0
        guard let socket else { return }
        do throws(AMQPError) {
            switch work {
            case .nothing: return
            case .handle:
                try handleFrames(on: thread)
                endBatch()
            case .read:
                count = try read(from: socket, on: thread)
                noteRead(count)
            }
        } catch {
            endBatch()
            if thread.isPoller { endSoon(error) } else { end(lost(error)) }
            return
        }
        noteSpareMemory()
        updateReading()
        putOffReading(after: count)
        arm()
    }

    /// Ends the link, with what the queue does next: it takes its time, as it tells the application's log. Until then nothing
    /// is read, and another end has this reason.
    func endSoon(_ error: AMQPError) {
        reading.end(soon: error)
        onQueue { $0.end($0.lost(error)) }
    }

    /// - Returns: How many bytes came.
    private func read(from socket: Socket, on thread: ReadingThread) throws(AMQPError) -> Int {
        if let end = reading.pendingEnd { throw end }
        var (batch, sum) = (0, 0)
        if reading.holdsFrames { try handleFrames(on: thread) }
        for _ in 0..<thread.mostReads {
            if reading.isOver || reading.holdsFrames { break }
            let room = frames.received.room()
            switch socket.read(into: room) {
            case .bytes(let count):
                let now = MonotonicTime.now
                reading.heard(at: now)
                received?.now = now
                pace.note(published: outbox.noteReceived(count), at: now)
                frames.received.received(count)
                try handleFrames(on: thread)
                (batch, sum) = (batch + count, sum + count)
                guard count < room.count || isEnough(batch) else { continue }
                endBatch()
                batch = 0
                // What comes later is told.
                if count < room.count, !socket.isTLS, !reading.holdsFrames { return sum }
            case .nothingNow:
                endBatch()
                return sum
            case .ended(let error): throw error
            }
        }
        endBatch()
        if !reading.isOver { scheduleReading() }
        return sum
    }

    func scheduleReading() {
        reading.schedule()
        onQueue { $0.readable() }
    }

    /// Whether so much has come that it is worth being handed over before more is read.
    private func isEnough(_ batch: Int) -> Bool {
        let recipients = inboxes.recipients
        return recipients <= Self.fewRecipients || batch >= recipients * Self.bytesPerRecipient
    }

    /// Takes what the peer has sent before it hung up, which may say why.
    ///
    /// - Returns: The reason, if it was said and has not ended the link already.
    func hearLastWords() -> AMQPError? {
        guard let socket else { return nil }
        do throws(AMQPError) {
            _ = try read(from: socket, on: .queue)
            return nil
        } catch {
            endBatch()
            return error.code == .connectionLost ? nil : error
        }
    }

    private func handleFrames(on thread: ReadingThread) throws(AMQPError) {
        reading.holdsFrames = false
        let (chunk, start, bytes) = (frames.received.chunk, frames.received.start, frames.received.bytes)
        var offset = 0
        defer { frames.received.consume(offset) }
        var thread = thread
        let log = received
        scan: while !reading.isOver {
            switch frames.scanner.next(in: bytes, from: offset) {
            case .frame(let frame, let next):
                let payload = UnsafeRawBufferPointer(rebasing: bytes[frame.payload])
                if frame.isDelivery(payload) {
                    let deliveries = WholeDeliveries(of: frame.channel, in: bytes, scanner: frames.scanner)
                    let inbox = try inbox(of: frame.channel)
                    let before = log == nil ? 0 : inbox.delivered
                    let end = try inbox.receive(deliveries, from: offset, in: chunk, at: start)
                    guard end == offset else {
                        let count = log == nil ? 0 : max(1, inbox.delivered - before)
                        log?.note(MethodDecoder.deliver, frame.channel, bytes: end - offset, count: count)
                        offset = end
                        continue
                    }
                }
                guard thread.takes(frame, payload, after: offset, unconfirmed: { unconfirmed(on: frame.channel) })
                else {
                    reading.holdsFrames = true
                    break scan
                }
                offset = next
                log?.note(frame, payload)
                if frame.channel == 0 {
                    try handleConnectionFrame(frame.kind, payload)
                } else {
                    try handleChannelFrame(frame, payload)
                }
            case .incomplete: break scan
            case .malformed(let what): throw AMQPError(.protocolViolation, "the peer sent \(what)")
            }
        }
    }

    private func unconfirmed(on channel: UInt16) -> Int { inboxes[channel]?.unconfirmed ?? 0 }

    /// What receives the frames of a channel, which then has its part in the batch at hand.
    @inline(__always)
    private func inbox(of channel: UInt16) throws(AMQPError) -> any ChannelInbox {
        guard let inbox = inboxes[channel] ?? registeredInbox(of: channel) else {
            if inboxes.wasTaken(channel) { return lateFrames }
            throw AMQPError(.protocolViolation, "the peer sent a frame on channel \(channel), which is not open")
        }
        inboxes.touch(inbox, channel)
        return inbox
    }

    private func registeredInbox(of channel: UInt16) -> (any ChannelInbox)? {
        takeRegistered()
        return inboxes[channel]
    }

    @inline(__always)
    private func handleChannelFrame(_ frame: FrameScanner.Frame, _ payload: UnsafeRawBufferPointer) throws(AMQPError) {
        let inbox = try inbox(of: frame.channel)
        switch frame.kind {
        case .method:
            if try MethodDecoder.methodNumber(payload) == MethodDecoder.deliver {
                try inbox.receive(try methods.deliver(payload))
            } else if try inbox.receive(try methods.method(payload)) {
                inbox.endBatch(isForMany: false)
                inboxes.release(frame.channel)
            }
        case .header: try inbox.receive(try frames.headers.header(payload))
        case .body: try inbox.receive(body: payload)
        case .heartbeat: throw AMQPError(.protocolViolation, "the peer sent a heartbeat on channel \(frame.channel)")
        }
    }

    private func handleConnectionFrame(_ kind: FrameScanner.Kind, _ payload: UnsafeRawBufferPointer) throws(AMQPError) {
        switch kind {
        case .heartbeat: return
        case .method: try handle(try methods.method(payload))
        default: throw AMQPError(.protocolViolation, "the peer sent content on channel 0")
        }
    }

    private func endBatch() {
        let isForMany = inboxes.recipients > Self.fewRecipients
        for number in inboxes.touched { inboxes[number]?.endBatch(isForMany: isForMany) }
        inboxes.endBatch()
    }

    /// The error for a connection that was lost, in the light of what it was doing.
    func lost(_ error: AMQPError) -> AMQPError {
        guard case .opening(let handshake, _) = phase, error.code == .connectionLost else { return error }
        return handshake.lost(error)
    }
}

extension FrameLog {
    /// Notes a frame as it came. By itself: what is in line is for every message.
    @inline(never)
    fileprivate func note(_ frame: FrameScanner.Frame, _ payload: UnsafeRawBufferPointer) {
        let bytes = payload.count + FrameScanner.overhead
        switch frame.kind {
        case .method: note((try? MethodDecoder.methodNumber(payload)) ?? Self.heartbeat, frame.channel, bytes: bytes)
        case .header, .body: noteContent(frame.channel, bytes: bytes)
        case .heartbeat: note(Self.heartbeat, frame.channel, bytes: bytes)
        }
    }
}
