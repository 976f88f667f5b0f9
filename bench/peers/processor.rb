# Amazon's library for Ruby.
require 'aws/kclrb'
require 'base64'

class Tally < Aws::KCLrb::V2::RecordProcessorBase
  def init_processor(initialize_input)
    @records = @bytes = @sum = 0
  end

  def process_records(process_records_input)
    process_records_input.records.each do |record|
      data = Base64.decode64(record['data'])
      @records += 1
      @bytes += data.bytesize
      @sum += data.getbyte(data.bytesize / 2)
    end
    process_records_input.checkpointer.checkpoint
  end

  def lease_lost(lease_lost_input)
    STDERR.puts("tally #{@records} #{@bytes} #{@sum}")
  end

  def shard_ended(shard_ended_input)
  end

  def shutdown_requested(shutdown_requested_input)
  end
end

Aws::KCLrb::KCLProcess.new(Tally.new).run
