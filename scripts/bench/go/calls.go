package main

// The modes in which each message, or call, is waited for and timed.

import (
	"strconv"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Does `call` over and over in each of --tasks goroutines, until the time since `start` is over, if there is one, and
// returns how long each took.
func inTasks(count int, start *reading, call func()) []time.Duration {
	all := make([][]time.Duration, *tasks)
	var group sync.WaitGroup
	for t := range all {
		group.Add(1)
		go func(t int) {
			defer group.Done()
			share := shareOf(count, t, len(all))
			times := make([]time.Duration, 0, share)
			for i := 0; i < share; i++ {
				began := time.Now()
				if start != nil && *seconds > 0 && began.Sub(start.time).Seconds() >= *seconds {
					break
				}
				call()
				times = append(times, time.Since(began))
			}
			all[t] = times
		}(t)
	}
	group.Wait()
	var merged []time.Duration
	for _, times := range all {
		merged = append(merged, times...)
	}
	return merged
}

func runTimed(mode string, call func()) {
	inTasks(*warmup, nil, call)
	start := readClocks()
	latencies := inTasks(*messages, &start, call)
	report(mode, start, len(latencies), latencies)
}

func runPingPong(mode string) {
	channel := openChannel(connect())
	declare(channel)
	deliveries, err := channel.Consume(*queue, "", true, false, false, false, nil)
	check(err, "basic.consume")
	message := newMessage()
	*tasks = 1
	runTimed(mode, func() {
		publish(channel, *exchange, *routingKey, message)
		if _, open := <-deliveries; !open {
			quit(1, "the consumer ended")
		}
	})
}

// Hands each confirm to the goroutine that waits for it. Not with deferred confirmations: see publishManyConfirmed.
type confirmer struct {
	sync.Mutex
	channel *amqp.Channel
	last    uint64
	waiting map[uint64]chan bool
}

func (c *confirmer) listen(confirms <-chan amqp.Confirmation) {
	for confirm := range confirms {
		c.Lock()
		done := c.waiting[confirm.DeliveryTag]
		delete(c.waiting, confirm.DeliveryTag)
		c.Unlock()
		done <- confirm.Ack
	}
}

func (c *confirmer) publish(message amqp.Publishing) {
	done := make(chan bool, 1)
	c.Lock()
	c.last++
	c.waiting[c.last] = done
	publish(c.channel, *exchange, *routingKey, message)
	c.Unlock()
	if !<-done {
		quit(1, "nacked")
	}
}

func runConfirm(mode string) {
	channel := openChannel(connect())
	check(channel.Confirm(false), "confirm.select")
	declare(channel)
	c := confirmer{channel: channel, waiting: make(map[uint64]chan bool)}
	go c.listen(channel.NotifyPublish(make(chan amqp.Confirmation, *tasks)))
	message := newMessage()
	runTimed(mode, func() { c.publish(message) })
	deleteQueue(channel)
}

func runDeclare(mode string) {
	channel := openChannel(connect())
	declare(channel)
	*tasks = 1
	runTimed(mode, func() { drained(channel) })
	deleteQueue(channel)
}

// Hands each reply to the goroutine that waits for it.
type caller struct {
	sync.Mutex
	last    int
	waiting map[string]chan int
}

func (c *caller) listen(replies <-chan amqp.Delivery) {
	for d := range replies {
		c.Lock()
		done := c.waiting[d.CorrelationId]
		delete(c.waiting, d.CorrelationId)
		c.Unlock()
		done <- len(d.Body)
	}
}

// By hand: a channel serves, another calls, and the reply comes directly.
func runRPC(mode string) {
	connection := connect()
	server, client := openChannel(connection), openChannel(connection)
	declare(server)
	requests, err := server.Consume(*queue, "", false, false, false, false, nil)
	check(err, "basic.consume")
	reply := newMessage()
	go func() {
		for d := range requests {
			reply.CorrelationId, reply.Body = d.CorrelationId, d.Body
			publish(server, "", d.ReplyTo, reply)
			check(d.Ack(false), "basic.ack")
		}
	}()
	const direct = "amq.rabbitmq.reply-to"
	replies, err := client.Consume(direct, "", true, false, false, false, nil)
	check(err, "basic.consume")
	c := caller{waiting: make(map[string]chan int)}
	go c.listen(replies)
	message := newMessage()
	runTimed(mode, func() {
		request, done := message, make(chan int, 1)
		c.Lock()
		c.last++
		request.CorrelationId, request.ReplyTo = strconv.Itoa(c.last), direct
		c.waiting[request.CorrelationId] = done
		c.Unlock()
		publish(client, "", *queue, request)
		if <-done != *size {
			quit(1, "a reply is not what was sent")
		}
	})
	connection.Close()
}

func runConnect(mode string) {
	*tasks = 1
	runTimed(mode, func() {
		connection := connect()
		check(openChannel(connection).Close(), "channel.close")
		check(connection.Close(), "connection.close")
	})
}

// Connections, each with a channel, that do nothing.
func runIdle(mode string) {
	var open []*amqp.Connection
	for i := 0; i < *connections; i++ {
		open = append(open, connect())
		openChannel(open[i])
	}
	whole := int(*seconds)
	if whole < 1 {
		whole = 3
	}
	time.Sleep(time.Second)
	start := readClocks()
	time.Sleep(time.Duration(whole) * time.Second)
	printReport(mode, start, readClocks(), *connections*whole, nil)
	for _, connection := range open {
		connection.Close()
	}
}
