package main

// The modes that publish, from a goroutine for each channel.

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// How many of `total` are the share of number `index` of `count`.
func shareOf(total, index, count int) int {
	share := total / count
	if index < total%count {
		share++
	}
	return share
}

// Calls `one` for each message until the time since `start` is over, if there is one, and returns how many there were.
// Each of `parts` goroutines that do so keeps its part of --rate.
func each(count, parts int, start *reading, one func(i int)) int {
	var interval time.Duration
	if *rate > 0 && start != nil {
		interval = time.Duration(float64(time.Second) * float64(parts) / float64(*rate))
	}
	for i := 0; i < count; i++ {
		if interval > 0 {
			time.Sleep(time.Until(start.time.Add(time.Duration(i) * interval)))
		}
		one(i)
		doWork()
		if start != nil && isOver(*start, i+1) {
			return i + 1
		}
	}
	return count
}

func publishMany(channel *amqp.Channel, count, parts int, start *reading, message amqp.Publishing) int {
	done := each(count, parts, start, func(i int) {
		message.Headers = table(i)
		publish(channel, *exchange, *routingKey, message)
	})
	drained(channel)
	return done
}

// Not with deferred confirmations: in 1.5 one that arrives before its publish call returns is lost, and Wait hangs
// (its issue 182).
func publishManyConfirmed(channel *amqp.Channel, confirms <-chan amqp.Confirmation, count, parts int, start *reading,
	message amqp.Publishing) int {
	pending := 0
	wait := func() {
		if c, open := <-confirms; !open || !c.Ack {
			quit(1, "nacked, or the channel closed")
		}
		pending--
	}
	done := each(count, parts, start, func(i int) {
		for pending >= *window {
			wait()
		}
		message.Headers = table(i)
		publish(channel, *exchange, *routingKey, message)
		pending++
	})
	for pending > 0 {
		wait()
	}
	return done
}

func runPublish(mode string) {
	var all []*amqp.Channel
	var confirms []chan amqp.Confirmation // one for each channel
	var open []*amqp.Connection
	for i := 0; i < *connections; i++ {
		connection := connect()
		open = append(open, connection)
		for j := 0; j < *channels; j++ {
			channel := openChannel(connection)
			if mode == "publish-confirm" {
				check(channel.Confirm(false), "confirm.select")
				confirms = append(confirms, channel.NotifyPublish(make(chan amqp.Confirmation, *window)))
			}
			all = append(all, channel)
		}
	}
	declare(all[0])
	message := newMessage()
	inParallel := func(count int, start *reading) int {
		var group sync.WaitGroup
		var done atomic.Int64
		for i, channel := range all {
			share := shareOf(count, i, len(all))
			group.Add(1)
			go func(i int, channel *amqp.Channel) {
				defer group.Done()
				if confirms != nil {
					done.Add(int64(publishManyConfirmed(channel, confirms[i], share, len(all), start, message)))
				} else {
					done.Add(int64(publishMany(channel, share, len(all), start, message)))
				}
			}(i, channel)
		}
		group.Wait()
		return int(done.Load())
	}
	inParallel(*warmup, nil)
	start := readClocks()
	count := inParallel(*messages, &start)
	report(mode, start, count, nil)
	deleteQueue(all[0])
	for _, connection := range open {
		connection.Close()
	}
}

type order struct {
	ID     int     `json:"id"`
	Item   string  `json:"item"`
	Price  float64 `json:"price"`
	IsPaid bool    `json:"isPaid"`
}

func runCodable(mode string) {
	channel := openChannel(connect())
	declare(channel)
	message := newMessage()
	message.ContentType = "application/json"
	many := func(count int, start *reading) int {
		done := each(count, 1, start, func(i int) {
			body, err := json.Marshal(order{i, "Assam, second flush", 17.25, true})
			check(err, "JSON")
			message.Body = body
			publish(channel, *exchange, *routingKey, message)
		})
		drained(channel)
		return done
	}
	many(*warmup, nil)
	start := readClocks()
	count := many(*messages, &start)
	*size = len(message.Body)
	report(mode, start, count, nil)
	deleteQueue(channel)
}

// How long after it is published, while the program computes on, the last byte of a message is with the null broker,
// which tells by how many messages a queue of this name claims to have.
func runDelay(mode string) {
	if *size < 16 {
		quit(unsupported, "a body of 16 bytes at least")
	}
	channel := openChannel(connect())
	declare(channel)
	message := newMessage()
	one := func(int) { publish(channel, *exchange, *routingKey, message) }
	each(*warmup, 1, nil, one)
	copy(message.Body, "bench at")
	start := readClocks()
	count := each(*messages, 1, &start, func(i int) {
		binary.BigEndian.PutUint64(message.Body[8:], uint64(clock(monotonic)))
		one(i)
	})
	drained(channel)
	end := readClocks()
	at := func(part int) float64 {
		name := fmt.Sprintf("null.delay.%d", part)
		q, err := channel.QueueDeclarePassive(name, false, true, false, false, nil)
		check(err, "queue.declare")
		return float64(q.Messages) / 1000
	}
	found := latency{at(500), at(990), at(999), at(1000)}
	if found.Max <= 0 {
		quit(1, "the null broker has seen no stamp")
	}
	printReport(mode, start, end, count, &found)
}
