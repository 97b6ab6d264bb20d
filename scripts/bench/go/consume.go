package main

// The modes that take messages out of the queue.

import (
	"sync"
	"sync/atomic"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Declares the queue, and publishes what it lacks.
func fill(channel *amqp.Channel, needed int) {
	message := newMessage()
	for there := declare(channel).Messages; there < needed; there++ {
		message.Headers = table(there)
		publish(channel, "", *queue, message)
	}
	drained(channel)
}

func runConsume(mode string) {
	if *connections > 1 {
		quit(unsupported, "consumes on one connection only")
	}
	acks := mode != "consume"
	connection := connect()
	var all []*amqp.Channel
	for i := 0; i < *channels; i++ {
		channel := openChannel(connection)
		if acks && *prefetch > 0 {
			check(channel.Qos(*prefetch, 0, false), "basic.qos")
		}
		all = append(all, channel)
	}
	needed := *warmup + *messages
	fill(all[0], needed)

	// A goroutine per consumer, or --tasks of them that handle its messages. More than needed may come, and is left alone.
	var started atomic.Value
	started.Store(readClocks())
	var taken, finished atomic.Int64
	done := make(chan int, 1)
	var once sync.Once
	end := func(count int) { once.Do(func() { done <- count }) }
	consume := func(deliveries <-chan amqp.Delivery) {
		for d := range deliveries {
			if taken.Add(1) > int64(needed) {
				continue
			}
			if len(d.Body) != *size {
				quit(1, "a body of %d bytes", len(d.Body))
			}
			if *readHeaders {
				if _, there := d.Headers["x-number"]; !there {
					quit(1, "a message came without headers")
				}
			}
			doWork()
			if acks {
				check(d.Ack(false), "basic.ack")
			}
			n := int(finished.Add(1))
			switch {
			case n == needed:
				end(*messages)
			case n == *warmup:
				started.Store(readClocks())
			case n > *warmup && isOver(started.Load().(reading), n-*warmup):
				end(n - *warmup)
			}
		}
	}
	handlers := 1
	if mode == "handle" {
		handlers = *tasks
	}
	for i := 0; i < *consumers; i++ {
		deliveries, err := all[i%len(all)].Consume(*queue, "", !acks, false, false, false, nil)
		check(err, "basic.consume")
		for j := 0; j < handlers; j++ {
			go consume(deliveries)
		}
	}
	count := <-done
	report(mode, started.Load().(reading), count, nil)
	connection.Close()
}

func runGet(mode string) {
	channel := openChannel(connect())
	fill(channel, *warmup+*messages)
	*tasks = 1
	runTimed(mode, func() {
		d, there, err := channel.Get(*queue, false)
		check(err, "basic.get")
		if !there {
			quit(1, "the queue is empty too early")
		}
		check(d.Ack(false), "basic.ack")
	})
	deleteQueue(channel)
}
