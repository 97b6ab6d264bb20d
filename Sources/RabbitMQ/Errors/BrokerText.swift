extension String {
    /// Whether it, the text of a broker's error, names a thing of a kind: `exchange 'orders'`.
    ///
    /// RabbitMQ cuts its texts to 255 bytes, so that of a long name the beginning has to be enough.
    func names(_ kind: String, _ name: String) -> Bool {
        if contains("\(kind) '\(name)'") { return true }
        guard name.utf8.count > 128 else { return false }
        // Bytes count, and only whole characters are found.
        var beginning = name.prefix(64)
        while beginning.utf8.count > 128 { beginning.removeLast() }
        return !beginning.isEmpty && contains("\(kind) '\(beginning)")
    }
}
