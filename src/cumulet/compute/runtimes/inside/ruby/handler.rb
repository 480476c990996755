# frozen_string_literal: true

require 'json'
require 'stringio'

module CumuletRuntime
  # The method that a function's handler names: "file.method", or "file.Class.method" for a method of a class or module.
  class Handler
    def self.load(name)
      file, *place, method = name.split('.')
      if method.nil? || place.length > 1
        raise ArgumentError,
              "Invalid handler #{name}, must be of form FILENAME.METHOD or FILENAME.CLASS.METHOD where FILENAME corresponds " \
              'with an existing Ruby source file FILENAME.rb, CLASS is an optional module/class namespace and METHOD is a ' \
              'callable method. If using CLASS, METHOD must be a class-level method.'
      end
      root = ENV['LAMBDA_TASK_ROOT']
      $LOAD_PATH.unshift(root) if root && !$LOAD_PATH.include?(root)
      TOPLEVEL_BINDING.receiver.send(:require, file)
      new(place.first, method)
    end

    def initialize(place, method)
      @place = place
      @method = method.to_sym
    end

    # The body of the answer and its type. Raises HandlerFailed.
    def call(body, context)
      event = JSON.parse(body)
      receiver = @place ? Kernel.const_get(@place) : TOPLEVEL_BINDING.receiver
      answer(receiver.__send__(@method, event: event, context: context))
    rescue Exception => e # rubocop:disable Lint/RescueException - whatever it is, it is told
      raise HandlerFailed.new(e), cause: nil
    end

    private

    # What is read is sent as it is, everything else as JSON.
    def answer(value)
      case value
      when StringIO, IO then [value.read, 'application/unknown']
      else [JSON.generate(value), 'application/json']
      end
    end
  end
end
