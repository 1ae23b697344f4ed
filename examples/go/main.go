// Tally: an agent service in Go, made from the .proto alone.
//
// Each instance adds up the amounts it is told and keeps a list of them. The file is the whole of
// what an agent service owes Headgate: Describe, Turn, Turns, health and reflection.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/signal"
	"syscall"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"

	pb "headgate.example/tally/headgatev1"
)

const (
	agentType = "tally"
	revision  = "1"
	// State, log windows and batches of both travel in one message; gRPC's default is 4 MiB.
	messageBytes = 64 << 20
)

type service struct {
	pb.UnimplementedAgentServiceServer
}

func (service) Describe(context.Context, *pb.DescribeRequest) (*pb.DescribeResponse, error) {
	return &pb.DescribeResponse{
		ContractVersion: 1,
		Agents: []*pb.AgentDescription{{
			Type:       agentType,
			Revision:   revision,
			EventTypes: []string{"tally.add"},
			Summary:    "Adds up amounts",
		}},
		ServesTurnsStream: true,
		Sdk:               "none (Go)",
	}, nil
}

func (service) Turn(_ context.Context, request *pb.TurnRequest) (*pb.TurnReply, error) {
	return take(request), nil
}

// Turns answers each batch as soon as it has been read: these turns only compute. An agent that
// waits for something would start a goroutine for each and go on reading; only one of them at a
// time may call Send.
func (service) Turns(stream grpc.BidiStreamingServer[pb.TurnRequestBatch, pb.TurnReplyBatch]) error {
	for {
		batch, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		replies := &pb.TurnReplyBatch{}
		for _, request := range batch.GetRequests() {
			replies.Replies = append(replies.Replies, take(request))
		}
		if err := stream.Send(replies); err != nil {
			return err
		}
	}
}

// take runs one turn. What fails is data in the reply; the events before it still count.
func take(request *pb.TurnRequest) *pb.TurnReply {
	reply := &pb.TurnReply{
		RequestId: request.GetRequestId(),
		Base:      request.GetBase(),
		Revision:  revision,
	}
	if request.GetAgentType() != agentType {
		reply.Result = failed(pb.FailureCode_FAILURE_CODE_UNKNOWN_AGENT, pb.Advice_ADVICE_UNSPECIFIED,
			"", "this service hosts "+agentType)
		return reply
	}
	if pin := request.GetRevisionPin(); pin != "" && pin != revision {
		reply.Result = failed(pb.FailureCode_FAILURE_CODE_UNKNOWN_AGENT, pb.Advice_ADVICE_RETRY,
			"", "this is revision "+revision)
		return reply
	}
	var total int64
	if stored, ok := request.GetState().GetValues()["total"]; ok {
		if err := json.Unmarshal(stored, &total); err != nil {
			// It stays so until someone deploys or resets.
			reply.Result = failed(pb.FailureCode_FAILURE_CODE_AGENT_ERROR, pb.Advice_ADVICE_PARK,
				request.GetEvents()[0].GetId(), "stored total: "+err.Error())
			return reply
		}
	}
	reply.Result = &pb.TurnReply_Completed{Completed: &pb.Completed{}}
	for index, event := range request.GetEvents() {
		var data struct {
			Amount *int64 `json:"amount"`
		}
		err := json.Unmarshal(event.GetData(), &data)
		if err == nil && data.Amount == nil {
			err = errors.New("no amount")
		}
		if err != nil {
			reply.Result = failed(pb.FailureCode_FAILURE_CODE_TERMINAL, pb.Advice_ADVICE_DEAD_LETTER,
				event.GetId(), err.Error())
			break
		}
		total += *data.Amount
		reply.TakenEventIds = append(reply.TakenEventIds, event.GetId())
		reply.Mutations = append(reply.Mutations, &pb.Mutation{
			Name:   "amounts",
			Change: &pb.Mutation_Append{Append: fmt.Appendf(nil, "%d", *data.Amount)},
		})
		reply.Outputs = append(reply.Outputs, &pb.Output{
			Type:  "tally.total",
			Data:  fmt.Appendf(nil, `{"total":%d}`, total),
			Cause: uint32(index),
		})
	}
	if len(reply.TakenEventIds) > 0 {
		reply.Mutations = append(reply.Mutations, &pb.Mutation{
			Name:   "total",
			Change: &pb.Mutation_Set{Set: fmt.Appendf(nil, "%d", total)},
		})
	}
	return reply
}

func failed(code pb.FailureCode, advice pb.Advice, eventID, message string) *pb.TurnReply_Failed {
	return &pb.TurnReply_Failed{Failed: &pb.Failure{
		Code: code, Advice: advice, EventId: eventID, Message: message,
	}}
}

func main() {
	port := flag.Int("port", 7074, "0 picks a free one")
	flag.Parse()
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", *port))
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(messageBytes), grpc.MaxSendMsgSize(messageBytes))
	pb.RegisterAgentServiceServer(server, service{})
	status := health.NewServer()
	status.SetServingStatus(pb.AgentService_ServiceDesc.ServiceName,
		grpc_health_v1.HealthCheckResponse_SERVING)
	grpc_health_v1.RegisterHealthServer(server, status)
	reflection.Register(server)

	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM, os.Interrupt)
	go func() {
		<-asked
		status.Shutdown()
		// Headgate holds its streams open for good: to wait for their end would be to wait for ever.
		// It takes what is unanswered as UNAVAILABLE and asks again.
		server.Stop()
	}()
	fmt.Printf("serving %s on %s\n", agentType, listener.Addr())
	if err := server.Serve(listener); err != nil {
		log.Fatal(err)
	}
}
