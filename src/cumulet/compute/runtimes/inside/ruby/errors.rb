# frozen_string_literal: true

module CumuletRuntime
  # Errors as Lambda for Ruby shows them: the class of the exception within the part that it came from.
  module Errors
    MOST_LINES = 100
    OURS = %r{\A/var/runtime/}.freeze

    # The frames above the first of the runtime itself.
    def self.document(error, part)
      lines = (error.backtrace_locations || error.backtrace || []).first(MOST_LINES).map(&:to_s)
      { errorMessage: text(error), errorType: "#{part}<#{error.class}>",
        stackTrace: lines.take_while { |line| !line.match?(own) }.map { |line| line.scrub } }
    end

    def self.text(error)
      error.message.to_s.dup.force_encoding(Encoding::UTF_8).scrub
    rescue StandardError
      error.class.to_s
    end

    # Where there is no sandbox, the runtime lies elsewhere.
    def self.own
      @own ||= Regexp.union(OURS, /\A#{Regexp.escape(__dir__)}\//)
    end
  end

  # An invocation failed. After a fatal one the process ends.
  class HandlerFailed < StandardError
    attr_reader :document, :fatal

    def initialize(error)
      super()
      @document = Errors.document(error, 'Function')
      @fatal = error.is_a?(NameError) || !error.is_a?(StandardError)
    end
  end
end
