/// A topic exchange's pattern: words between dots, where `*` is any one word and `#` any number of them.
struct TopicPattern {
    private let words: [Substring]

    init(_ text: String) { words = Self.words(of: text) }

    private static func words(of text: String) -> [Substring] {
        text.isEmpty ? [] : text.split(separator: ".", omittingEmptySubsequences: false)
    }

    func matches(_ routingKey: String) -> Bool {
        let key = Self.words(of: routingKey)
        // Which beginnings of the key the words so far match: one pass a word, however many `#` there are.
        var reached = [true] + [Bool](repeating: false, count: key.count)
        for word in words {
            if word == "#" {
                for index in reached.indices.dropFirst() where reached[index - 1] { reached[index] = true }
            } else {
                for index in reached.indices.reversed() {
                    reached[index] = index > 0 && reached[index - 1] && (word == "*" || word == key[index - 1])
                }
            }
        }
        return reached[key.count]
    }
}
