/// What turns received bytes into what they mean, with all that it keeps from one frame to the next.
struct FrameReader {
    var received = ReceiveBuffer()
    var scanner = FrameScanner(frameMax: 131_072, isOpen: false)
    var headers = HeaderDecoder()
}
