/// Names as other frameworks make them, and others that RabbitMQ takes.
enum ForeignNames {
    static let all = [
        "Shop.Orders.OrderPlaced, Shop.Orders_billing", "Shop.Orders:OrderPlaced", "celery@host.celery.pidbox",
        "Shop:Fault<OrderPlaced>", "a/b", "a*b#", "with space", "tab\t", "ünïcode", "日本語", "e\u{301}", "🐇", "\"'`\\",
        "%2f?&=",
        "Good_name-1:2.x",
    ]
}
