# frozen_string_literal: true

require 'json'
require 'socket'

module CumuletRuntime
  # An event, with what its headers tell.
  Event = Struct.new(:id, :body, :deadline_ms, :function_arn, :trace, :client_context, :identity, :tenant_id)

  # The HTTP Runtime API over one connection; Net::HTTP would take longer to load than most functions to run.
  # https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
  class RuntimeApi
    BASE = '/2018-06-01/runtime'

    def initialize(address)
      @address = address
      host, port = address.split(':')
      @socket = TCPSocket.new(host, port.to_i)
      @socket.setsockopt(Socket::IPPROTO_TCP, Socket::TCP_NODELAY, 1)
      @socket.binmode
    end

    # Waits for it.
    def next_event
      headers, body = ask('GET', '/invocation/next')
      Event.new(
        headers['lambda-runtime-aws-request-id'], body.force_encoding(Encoding::UTF_8),
        headers['lambda-runtime-deadline-ms'].to_i, headers['lambda-runtime-invoked-function-arn'],
        headers['lambda-runtime-trace-id'].to_s, headers['lambda-runtime-client-context'],
        headers['lambda-runtime-cognito-identity'], headers['lambda-runtime-aws-tenant-id']
      )
    end

    def respond(id, body, type)
      ask('POST', "/invocation/#{id}/response", body, 'Content-Type' => type)
    end

    # After a last one the process ends, and its environment is not used again.
    def fail(id, document, last:)
      headers = error_headers(document)
      headers['X-Cumulet-Last'] = '1' if last
      ask('POST', "/invocation/#{id}/error", JSON.generate(document), headers)
    end

    def fail_init(document)
      ask('POST', '/init/error', JSON.generate(document), error_headers(document))
    end

    private

    def error_headers(document)
      { 'Content-Type' => 'application/vnd.aws.lambda.error+json',
        'Lambda-Runtime-Function-Error-Type' => document[:errorType] }
    end

    def ask(method, path, body = nil, headers = {})
      lines = ["#{method} #{BASE}#{path} HTTP/1.1", "Host: #{@address}", 'User-Agent: cumulet-ruby']
      headers.each { |name, value| lines << "#{name}: #{value.to_s.gsub(/[\r\n]+/, ' ')}" }
      lines << "Content-Length: #{body.bytesize}" if body
      @socket.write("#{lines.join("\r\n")}\r\n\r\n".b, *(body ? [body.b] : []))
      read_answer
    end

    def read_answer
      raise EOFError unless @socket.gets("\r\n")

      headers = {}
      until (line = @socket.gets("\r\n").to_s.chomp).empty?
        name, value = line.split(':', 2)
        headers[name.downcase] = value.strip
      end
      [headers, @socket.read(headers['content-length'].to_i) || +'']
    end
  end
end
