# frozen_string_literal: true

# The Ruby runtime: loads the handler, then takes events from the HTTP Runtime API and answers them, until it is ended.
# https://docs.aws.amazon.com/lambda/latest/dg/ruby-handler.html

require 'json'
require_relative 'context'
require_relative 'errors'
require_relative 'handler'
require_relative 'logs'
require_relative 'runtime_api'

module CumuletRuntime
  FAILED = 255
  GONE = [EOFError, Errno::ECONNRESET, Errno::EPIPE, Errno::ECONNREFUSED].freeze

  # Answers one event. Gives whether the process may go on.
  def self.serve(api, handler, event)
    if event.trace.empty?
      ENV.delete('_X_AMZN_TRACE_ID')
    else
      ENV['_X_AMZN_TRACE_ID'] = event.trace
    end
    Logs.request_id = event.id
    body, type = handler.call(event.body, Context.new(event))
    api.respond(event.id, body, type)
    true
  rescue *GONE
    raise
  rescue HandlerFailed => e
    Logs.failure('Error raised from handler method', e.document)
    api.fail(event.id, e.document, last: e.fatal)
    !e.fatal
  end

  def self.run
    $stdout.sync = $stderr.sync = true
    Logs.install
    api = RuntimeApi.new(ENV.fetch('AWS_LAMBDA_RUNTIME_API'))
    handler = load_handler(api, ENV.fetch('_HANDLER', ''))
    while (event = api.next_event)
      exit!(FAILED) unless serve(api, handler, event)
    end
  rescue *GONE
    exit!(0)
  end

  def self.load_handler(api, name)
    Handler.load(name)
  rescue Exception => e # rubocop:disable Lint/RescueException - whatever it is, it is told
    document = Errors.document(e, 'Init')
    Logs.failure("Init error when loading handler #{name}", document)
    api.fail_init(document)
    exit!(FAILED)
  end
end

CumuletRuntime.run
