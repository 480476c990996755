# frozen_string_literal: true

require 'json'
require 'logger'

module CumuletRuntime
  # What goes to the log: errors, and Ruby's loggers with the request's id in their lines.
  # https://docs.aws.amazon.com/lambda/latest/dg/ruby-logging.html
  module Logs
    class << self
      attr_accessor :request_id
    end

    def self.failure(title, document)
      $stdout.puts(title)
      $stdout.puts(JSON.pretty_generate(document))
    end

    def self.install
      ::Logger.prepend(Tagged)
    end

    # A logger that writes to where Lambda's log is, and has no format of its own.
    module Tagged
      def initialize(device = nil, *rest, **options)
        super
        mine = [$stdout, $stderr, STDOUT, STDERR].include?(device) || ['/dev/stdout', '/dev/stderr'].include?(device)
        self.formatter = Logs.formatter if mine && formatter.nil?
      end
    end

    def self.formatter
      lambda do |severity, time, program, message|
        text = case message
               when String then message
               when Exception then "#{message.message} (#{message.class})\n#{Array(message.backtrace).join("\n")}"
               else message.inspect
               end
        stamp = time.strftime('%Y-%m-%dT%H:%M:%S.%6N')
        format("%s, [%s #%d] %5s %s -- %s: %s\n", severity[0], stamp, Process.pid, severity, request_id, program, text)
      end
    end
  end
end
