// Command device-plugin offers made-up devices to the kubelet of this machine, and calls those unhealthy that it is told.
//
//	device-plugin example.com/device 4
//
// Each line of its input names the devices that are unhealthy from then on, with spaces between them; with the end of the
// input it ends, and its devices with it.
package main

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	api "k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"
)

type plugin struct {
	api.UnimplementedDevicePluginServer
	count     int
	unhealthy <-chan string
}

func (p *plugin) GetDevicePluginOptions(context.Context, *api.Empty) (*api.DevicePluginOptions, error) {
	return &api.DevicePluginOptions{}, nil
}

func (p *plugin) Allocate(_ context.Context, request *api.AllocateRequest) (*api.AllocateResponse, error) {
	answer := &api.AllocateResponse{}
	for range request.ContainerRequests {
		answer.ContainerResponses = append(answer.ContainerResponses, &api.ContainerAllocateResponse{})
	}
	return answer, nil
}

func (p *plugin) ListAndWatch(_ *api.Empty, stream grpc.ServerStreamingServer[api.ListAndWatchResponse]) error {
	line := ""
	for {
		if err := stream.Send(&api.ListAndWatchResponse{Devices: p.devices(strings.Fields(line))}); err != nil {
			return err
		}
		select {
		case line = <-p.unhealthy:
		case <-stream.Context().Done():
			return nil
		}
	}
}

func (p *plugin) devices(unhealthy []string) []*api.Device {
	var devices []*api.Device
	for number := range p.count {
		device := &api.Device{ID: fmt.Sprintf("device-%d", number), Health: api.Healthy}
		for _, name := range unhealthy {
			if name == device.ID {
				device.Health = api.Unhealthy
			}
		}
		devices = append(devices, device)
	}
	return devices
}

func main() {
	resource := os.Args[1]
	count, err := strconv.Atoi(os.Args[2])
	end(err)
	socket := filepath.Join(api.DevicePluginPath, strings.ReplaceAll(resource, "/", "-")+".sock")
	listener, err := net.Listen("unix", socket)
	end(err)
	defer os.Remove(socket)
	lines := make(chan string)
	server := grpc.NewServer()
	api.RegisterDevicePluginServer(server, &plugin{count: count, unhealthy: lines})
	go func() { end(server.Serve(listener)) }()
	kubelet, err := grpc.NewClient("unix://"+api.KubeletSocket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	end(err)
	_, err = api.NewRegistrationClient(kubelet).Register(context.Background(), &api.RegisterRequest{
		Version: api.Version, Endpoint: filepath.Base(socket), ResourceName: resource,
	})
	end(err)
	for input := bufio.NewScanner(os.Stdin); input.Scan(); {
		lines <- input.Text()
	}
}

func end(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
