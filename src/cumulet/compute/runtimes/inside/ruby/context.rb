# frozen_string_literal: true

require 'json'

module CumuletRuntime
  # What a handler gets as its context.
  # https://docs.aws.amazon.com/lambda/latest/dg/ruby-context.html
  class Context
    attr_reader :aws_request_id, :invoked_function_arn, :log_group_name, :log_stream_name, :function_name,
                :function_version, :memory_limit_in_mb, :deadline_ms, :identity, :client_context, :clock_diff,
                :tenant_id

    def initialize(event)
      @clock_diff = Process.clock_gettime(Process::CLOCK_REALTIME, :millisecond) -
                    Process.clock_gettime(Process::CLOCK_MONOTONIC, :millisecond)
      @deadline_ms = event.deadline_ms
      @aws_request_id = event.id
      @invoked_function_arn = event.function_arn
      @log_group_name = ENV['AWS_LAMBDA_LOG_GROUP_NAME']
      @log_stream_name = ENV['AWS_LAMBDA_LOG_STREAM_NAME']
      @function_name = ENV['AWS_LAMBDA_FUNCTION_NAME']
      @function_version = ENV['AWS_LAMBDA_FUNCTION_VERSION']
      @memory_limit_in_mb = ENV['AWS_LAMBDA_FUNCTION_MEMORY_SIZE']
      @identity = JSON.parse(event.identity) if event.identity
      @client_context = JSON.parse(event.client_context) if event.client_context
      @tenant_id = event.tenant_id
    end

    def get_remaining_time_in_millis # rubocop:disable Naming/AccessorMethodName - its name on Lambda
      now = Process.clock_gettime(Process::CLOCK_MONOTONIC, :millisecond) + clock_diff
      [deadline_ms - now, 0].max
    end
  end
end
