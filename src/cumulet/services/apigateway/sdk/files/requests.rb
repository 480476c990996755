# frozen_string_literal: true

require "digest"
require "json"
require "net/http"
require "openssl"
require "time"
require "uri"

# Requests to an API, signed with AWS's Signature Version 4 where that is asked for. Needs nothing but Ruby.
module ApiRequests
  # An answer that is no success.
  class ApiError < StandardError
    attr_reader :status, :headers, :data

    def initialize(status, headers, data)
      super("the API answered #{status}")
      @status = status
      @headers = headers
      @data = data
    end
  end

  Answer = Struct.new(:status, :headers, :data)

  # Sends requests of one client.
  class Requests
    def initialize(url, region, options)
      @url = url.chomp("/")
      @region = region
      @options = options
    end

    def send_request(verb, path, place, query, headers, body, content_type, signed)
      place.each do |name, value|
        path = path.sub("{#{name}+}") { value.to_s.split("/", -1).map { |part| encode(part) }.join("/") }
        path = path.sub("{#{name}}") { encode(value) }
      end
      pairs = query.reject { |_, value| value.nil? }.flat_map { |name, value| Array(value).map { |each| [name, each] } }
      search = pairs.map { |name, value| "#{encode(name)}=#{encode(value)}" }.join("&")
      uri = URI(@url + path + (search.empty? ? "" : "?#{search}"))
      request = Net::HTTPGenericRequest.new(verb, !body.nil?, true, uri)
      headers.each { |name, value| request[name] = value.to_s unless value.nil? }
      unless body.nil?
        request.body = body.is_a?(String) ? body : JSON.generate(body)
        request["Content-Type"] ||= content_type
      end
      request["Accept"] = "application/json" unless headers.key?("Accept")
      request["x-api-key"] = @options[:api_key] if @options[:api_key]
      sign(verb, uri, request) if signed && @options[:access_key]
      answer = Net::HTTP.start(uri.host, uri.port, use_ssl: uri.scheme == "https") { |http| http.request(request) }
      result = [answer.code.to_i, answer.each_header.to_h, decode(answer.body)]
      raise ApiError.new(*result) unless answer.is_a?(Net::HTTPSuccess)

      Answer.new(*result)
    end

    private

    def encode(value)
      URI.encode_www_form_component(value.to_s).gsub("+", "%20").gsub("*", "%2A").gsub("%7E", "~")
    end

    def decode(text)
      text.nil? || text.empty? ? nil : JSON.parse(text)
    rescue JSON::ParserError
      text
    end

    def sign(verb, uri, request)
      stamp = Time.now.utc.strftime("%Y%m%dT%H%M%SZ")
      request["X-Amz-Date"] = stamp
      request["X-Amz-Security-Token"] = @options[:session_token] if @options[:session_token]
      host = [80, 443].include?(uri.port) ? uri.host : "#{uri.host}:#{uri.port}"
      request["Host"] = host
      signed = { "host" => host, "x-amz-date" => stamp }
      signed["x-amz-security-token"] = @options[:session_token] if @options[:session_token]
      names = signed.keys.sort.join(";")
      search = (uri.query || "").split("&").sort.join("&")
      path = uri.path.split("/", -1).map { |part| encode(part) }.join("/")
      lines = signed.sort.map { |name, value| "#{name}:#{value}\n" }.join
      canonical = [verb, path, search, lines, names, Digest::SHA256.hexdigest(request.body || "")].join("\n")
      scope = "#{stamp[0, 8]}/#{@region}/execute-api/aws4_request"
      text = ["AWS4-HMAC-SHA256", stamp, scope, Digest::SHA256.hexdigest(canonical)].join("\n")
      key = scope.split("/").reduce("AWS4#{@options[:secret_key]}") { |last, part| OpenSSL::HMAC.digest("sha256", last, part) }
      signature = OpenSSL::HMAC.hexdigest("sha256", key, text)
      credential = "#{@options[:access_key]}/#{scope}"
      request["Authorization"] = "AWS4-HMAC-SHA256 Credential=#{credential}, SignedHeaders=#{names}, Signature=#{signature}"
    end
  end
end
