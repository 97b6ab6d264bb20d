import Testing

@testable import RabbitMQ

@Suite("texts that come again")
struct TextCacheTests {
    /// The text from the cache, and where its bytes lie.
    private func text(_ bytes: [UInt8], from cache: inout TextCache) -> (text: String, place: UnsafeRawPointer?) {
        let text = bytes.withUnsafeBufferPointer { cache.text($0) }
        return (text, place(text))
    }

    private func place(_ text: String) -> UnsafeRawPointer? {
        text.utf8.withContiguousStorageIfAvailable { $0.baseAddress.map { UnsafeRawPointer($0) } } ?? nil
    }

    private func fresh(_ bytes: [UInt8]) -> String { bytes.withUnsafeBufferPointer { String(wire: $0) } }

    @Test func `the same bytes give the same text, without memory of its own`() {
        var cache = TextCache()
        let bytes = Array("a routing key of more than fifteen bytes".utf8)
        let first = text(bytes, from: &cache)
        let again = text(Array(bytes), from: &cache)
        #expect(first.text == fresh(bytes) && again.text == first.text)
        #expect(first.place != nil && again.place == first.place)
        // Where it does lie elsewhere, that is seen.
        let other = fresh(bytes)
        #expect(place(other) != first.place)
        withExtendedLifetime((first, again, other)) {}
    }

    @Test(arguments: [0, 1, 14, 15, 16, 17, 255])
    func `what differs in one byte, or in its length, is another text`(count: Int) {
        var cache = TextCache()
        let bytes = [UInt8](repeating: UInt8(ascii: "a"), count: count)
        #expect(text(bytes, from: &cache).text == fresh(bytes))
        for index in Set([0, count / 2, count - 1]) where bytes.indices.contains(index) {
            var other = bytes
            other[index] = UInt8(ascii: "b")
            #expect(text(other, from: &cache).text == fresh(other))
            #expect(text(bytes, from: &cache).text == fresh(bytes))
        }
        let longer = bytes + [UInt8(ascii: "a")]
        #expect(text(longer, from: &cache).text == fresh(longer))
        #expect(text(bytes, from: &cache).text == fresh(bytes))
    }

    @Test func `bytes that are no text are not taken for those that they are written with`() {
        var cache = TextCache()
        let bytes = [UInt8](repeating: 0xFF, count: 20)
        let first = text(bytes, from: &cache).text
        // The text's own UTF-8, when it comes over the wire, is another text.
        let written = Array(first.utf8)
        #expect(written.count > bytes.count)
        let second = text(written, from: &cache).text
        #expect(second != first)
        #expect(second == fresh(written))
        #expect(text(bytes, from: &cache).text == first)
        #expect(first.amqpBytes == bytes && second.amqpBytes == written)
    }
}
